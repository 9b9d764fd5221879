//! The command line, as it is typed.

mod doctor;
mod import;
mod profile;
mod secrets;
mod service_account;
mod state;
mod workload;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::aot::Shell;
use runtime::Confirmation;

use crate::services::ServiceId;

pub(crate) use self::workload::{CheckWorkload, Workload};
pub(crate) use doctor::{Check, Doctor};
pub(crate) use import::{Format, Import};
pub(crate) use profile::UserChange;
pub(crate) use secrets::{Rotate, Secrets};
pub(crate) use service_account::{AddServiceAccount, End, ServiceAccount, UpdateServiceAccount};
pub(crate) use state::{Backup, Db, DbCopy, Migrate, PassphraseSource, Restore, Stopped};

const SELECTION: &str = "OCIS_ADD_RUN_SERVICES adds services to the usual ones (auth-app has to be added), \
    OCIS_EXCLUDE_RUN_SERVICES takes some out, OCIS_RUN_SERVICES names the only ones.";

/// An authentication service family in one process.
#[derive(Debug, Parser)]
#[command(
    name = "doorward",
    version,
    about,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the family in this process
    #[command(after_help = SELECTION)]
    Server,
    /// Runs all services, with four demo users whose passwords it prints once
    Quickstart,
    /// Authenticates a credential at the gateway; prints the user, the scopes and the internal token
    Authenticate(Authenticate),
    /// Asks every service that runs with this data folder whether it is ready; exits 0 if all are
    Health {
        #[command(flatten)]
        output: Output,
    },
    /// Checks configuration, data folder, services, clocks, certificates, databases, issuers, LDAP and mail, and says what to do
    Doctor(Doctor),
    /// Administers users
    User {
        #[command(subcommand)]
        command: UserOrToken,
    },
    /// Administers groups
    Group {
        #[command(subcommand)]
        command: Group,
    },
    /// Administers the service accounts that are stored in the database
    ServiceAccount {
        #[command(subcommand)]
        command: ServiceAccount,
    },
    /// Tries the policy for workloads
    Workload {
        #[command(subcommand)]
        command: Workload,
    },
    /// Shows, checks and documents a service's configuration
    Config {
        #[command(subcommand)]
        command: Config,
    },
    /// Makes, lists, revokes and imports app tokens
    AuthApp {
        #[command(subcommand)]
        command: auth_app::Command,
    },
    /// Administers the applications that users sign in to
    Client {
        #[command(subcommand)]
        command: idp::command::ClientCommand,
    },
    /// Administers the keys that tokens are signed with
    Keys {
        #[command(subcommand)]
        command: idp::command::KeysCommand,
    },
    /// Shows and ends the sessions of users
    Session {
        #[command(subcommand)]
        command: idp::command::SessionCommand,
    },
    /// Shows what has happened with the accounts of users, and what administrators have done
    Audit {
        #[command(subcommand)]
        command: idp::command::AuditCommand,
    },
    /// Brings the schemas of the databases up to date, for roles that may not do it when they start
    Migrate(Migrate),
    /// Writes everything that is stored to one file, while the services run
    Backup(Backup),
    /// Replaces what is stored by what a backup has; no service may run
    Restore(Restore),
    /// Moves what is stored to another database
    Db {
        #[command(subcommand)]
        command: Db,
    },
    /// Rotates the secrets of the installation
    Secrets {
        #[command(subcommand)]
        command: Secrets,
    },
    /// Prints the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page, or writes one for each command
    Man {
        /// Writes a page for each command into this folder
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// What Cells calls administration
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Users, and their personal access tokens
    User {
        #[command(subcommand)]
        command: UserOrToken,
    },
}

/// Cells has `admin user token`, and writes it `user token` in its examples.
#[derive(Debug, Subcommand)]
pub(crate) enum UserOrToken {
    #[command(flatten)]
    User(User),
    Token(auth_app::command::PersonalToken),
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// Prints all of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a secret comes from; without any of these it is asked for.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct SecretSource {
    /// Reads the secret from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Reads the secret from standard input
    #[arg(long)]
    pub(crate) secret_stdin: bool,
    /// Sends none: the client certificate proves who calls
    #[arg(long)]
    pub(crate) no_secret: bool,
}

/// Where a new password comes from; without any of these it is asked for.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PasswordSource {
    /// Reads the password from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Reads the password from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Makes a password and prints it
    #[arg(long)]
    pub(crate) generate: bool,
    /// Sets no password, and removes one that there is
    #[arg(long)]
    pub(crate) no_password: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Authenticate {
    /// The kind of credential: basic, appauth, bearer, machine or serviceaccounts
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: String,
    /// The owner of the credential: a login name, `userid:...`, or the identifier of a service account
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub(crate) client_id: String,
    #[command(flatten)]
    pub(crate) secret: SecretSource,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Adds a user
    Add {
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
        /// The mail address
        #[arg(long, default_value = "")]
        mail: String,
        /// The name to show; the login name if left out
        #[arg(long)]
        display_name: Option<String>,
        /// A role: admin, spaceadmin, user, guest or an identifier; may be repeated
        #[arg(long = "role", value_name = "ROLE", default_values_t = ["user".to_owned()], allow_hyphen_values = true)]
        roles: Vec<String>,
        /// A group to add the user to; may be repeated
        #[arg(long = "group", value_name = "GROUP", allow_hyphen_values = true)]
        groups: Vec<String>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Lists users
    List {
        /// Only users whose login name, display name or mail address contains this text
        #[arg(default_value = "")]
        query: String,
        #[command(flatten)]
        output: Output,
    },
    /// Adds the users of a file
    Import(Import),
    /// Shows a user and the profile
    Show {
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
        #[command(flatten)]
        output: Output,
    },
    /// Changes the name, the mail address or the profile of a user
    Update {
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
        #[command(flatten)]
        change: Box<UserChange>,
    },
    /// Sets the password of a user
    Passwd {
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Refuses every credential of a user from the next request on
    Disable {
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
    },
    /// Accepts the credentials of a disabled user again
    Enable {
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
    },
    /// Sends a user a mail with a link to set the first password; idp must be running and send mail
    Invite {
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
    },
    /// Removes the second factors, recovery codes and trusted devices of a user, and ends all sessions; idp must be running
    ResetFactors {
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Deletes a user with password, second factors, app tokens and sessions
    Delete {
        /// The login name
        #[arg(allow_hyphen_values = true, required_unless_present = "id", conflicts_with = "id")]
        username: Option<String>,
        /// The identifier in place of the login name; also of a user who is deleted already, to delete what is left
        #[arg(long, allow_hyphen_values = true)]
        id: Option<String>,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// Adds a group
    Add {
        /// Its name
        #[arg(allow_hyphen_values = true)]
        name: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Lists groups
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Removes a group
    Delete {
        /// Its name
        #[arg(allow_hyphen_values = true)]
        name: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Administers a group's members
    Member {
        #[command(subcommand)]
        command: Member,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    /// Adds a user to a group
    Add {
        /// The group's name
        #[arg(allow_hyphen_values = true)]
        group: String,
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
    },
    /// Ends a membership
    Remove {
        /// The group's name
        #[arg(allow_hyphen_values = true)]
        group: String,
        /// The login name
        #[arg(allow_hyphen_values = true)]
        username: String,
    },
    /// Lists the members
    List {
        /// The group's name
        #[arg(allow_hyphen_values = true)]
        group: String,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Prints what is in force, and where it comes from; secrets are left out
    Show {
        /// The service
        service: ServiceId,
    },
    /// Checks the configuration; exits 64 with one line if it cannot be used
    Check {
        /// The service; all of them if left out
        service: Option<ServiceId>,
    },
    /// Prints the table of settings, as Markdown
    Docs {
        /// The service
        service: ServiceId,
    },
    /// Prints an example, as YAML
    Example {
        /// The service
        service: ServiceId,
    },
    /// Prints the JSON Schema of the YAML file, by which editors complete and check it
    Schema {
        /// The service
        service: ServiceId,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Arguments of commands that name something: everything but numbers, words of a fixed choice and files.
    fn check_identifiers(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let is_choice = !argument.get_possible_values().is_empty();
            let is_named = argument.is_positional() && !["service", "path", "query", "file", "shell"].contains(&name);
            let is_option_of_name = argument.get_action().takes_values()
                && ["client_id", "groups", "roles", "user", "user_name", "all"].contains(&name);
            if (is_named && !is_choice) || is_option_of_name {
                assert!(argument.is_allow_hyphen_values_set(), "{path}: {name} cannot begin with -");
            }
        }
        command.get_subcommands().for_each(|command| check_identifiers(command, &path));
    }

    #[test]
    fn identifiers_may_begin_with_a_hyphen() {
        check_identifiers(&Cli::command(), "");
        for line in [
            &["keys", "retire", "-5mXF_x"][..],
            &["keys", "retire", "--mXF_x", "--yes"],
            &["client", "show", "-app"],
            &["session", "list", "--user", "-marie", "--json"],
            &["session", "end", "--user", "-marie", "--yes"],
            &["audit", "list", "--user", "-marie", "--json"],
            &["client", "remove", "-app", "--yes"],
            &["client", "rotate", "-app", "--grace", "1h"],
            &["client", "add", "--id", "-app", "--public"],
            &["auth-app", "show", "-x1"],
            &["auth-app", "revoke", "-x1"],
            &["auth-app", "revoke", "--all-of", "-marie", "--yes"],
            &["auth-app", "list", "--user-name", "-marie", "--json"],
            &["admin", "user", "token", "-u", "-marie", "-e", "1h"],
            &["user", "add", "-marie", "--group", "-staff", "--no-password"],
            &["user", "delete", "-marie", "--yes"],
            &["user", "delete", "--id", "-4c51", "--yes"],
            &["user", "reset-factors", "-marie", "--yes"],
            &["user", "invite", "-marie"],
            &["user", "passwd", "-marie", "--password-stdin"],
            &["user", "update", "-marie", "--nickname", "-m", "--mail", ""],
            &["group", "member", "add", "-staff", "-marie"],
            &["service-account", "show", "-backup"],
            &["service-account", "remove-secret", "-backup", "-1", "--yes"],
            &["authenticate", "--type", "basic", "--client-id", "-marie", "--secret-stdin"],
        ] {
            let parsed = Cli::try_parse_from(["doorward"].iter().chain(line));
            assert!(parsed.is_ok(), "{line:?}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
        }
        let Command::User { command: UserOrToken::User(User::Delete { username, id, confirmation }) } =
            Cli::try_parse_from(["doorward", "user", "delete", "-marie", "--yes"]).expect("is understood").command
        else {
            panic!("is another command")
        };
        assert_eq!((username.as_deref(), id, confirmation.yes), (Some("-marie"), None, true));
    }

    #[test]
    fn user_to_delete_is_named_either_by_login_name_or_by_identifier() {
        let parse = |arguments: &[&str]| Cli::try_parse_from([&["doorward", "user", "delete"], arguments].concat());
        assert!(parse(&["--id", "4c510ada", "--yes"]).is_ok());
        for refused in [&["--yes"][..], &["marie", "--id", "4c510ada"], &["--id"]] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }
}
