//! The commands of the documentation, run as they are written there.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use testkit::{Layout, Mode, TestFamily, binary};

/// Blocks with one of these start a server, or need a file, a code or another program.
const NOT_RUN: [&str; 6] =
    ["cargo ", "doorward server", "auth-app import", "OCIS_MTLS_", "authorization_code", "auth-app --help"];

/// The shell blocks of a page, and the commands in the first column of its tables.
fn commands(page: &str) -> Vec<String> {
    let path = format!("{}/../../docs/{page}.md", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let blocks = text.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `doorward ")?.split('`').next());
    let all = blocks.map(str::to_owned).chain(rows.map(|arguments| format!("doorward {arguments}")));
    all.filter(|commands| !NOT_RUN.iter().any(|part| commands.contains(part))).collect()
}

/// Runs the commands of a page against a family, each block in a shell of its own with `input` on standard input. `changes` are
/// what a test has otherwise: a page that no longer says the first part of one has drifted from its test.
async fn run(family: &TestFamily, page: &str, input: &impl AsyncFn(&str) -> String, changes: &[(&str, &str)]) {
    let found = commands(page);
    for (written, _) in changes {
        assert!(found.iter().any(|commands| commands.contains(written)), "docs/{page}.md does not say {written:?}");
    }
    let programs = binary("doorward").parent().expect("a folder").display().to_string();
    for commands in found {
        let input = input(&commands).await;
        let script = changes.iter().fold(commands.clone(), |script, (written, real)| script.replace(written, real));
        let variables = family.layout.variables().clone();
        let path = format!("{programs}:/usr/local/bin:/usr/bin:/bin");
        let shell = tokio::task::spawn_blocking(move || {
            let mut shell = Command::new("sh")
                .args(["-e", "-c", &script])
                .env_clear()
                .envs(variables)
                .env("PATH", path)
                .env("NO_PROXY", "*")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("a shell can be started");
            // a command that reads no input may have closed it already
            let _ = shell.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
            shell.wait_with_output().expect("a shell ends")
        });
        let output = shell.await.expect("the commands end");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docs/{page}.md: {commands}\n{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_quickstart_page_succeed() {
    let family = TestFamily::start("pages-quickstart", Mode::OneProcess).await;
    let edge = format!("https://{}", family.layout.variables()["PROXY_HTTP_ADDR"]);
    let changes = [
        ("user delete niels", "user delete niels --yes"),
        ("https://localhost:9200", edge.as_str()),
        // the family of a test has its administrator
        ("user add admin --mail admin@", "user add chief --mail chief@"),
    ];
    let password = family.layout.password.clone();
    run(&family, "quickstart", &async |_: &str| password.clone(), &changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_app_tokens_page_succeed() {
    let family = TestFamily::start_empty(Layout::new("pages-app-tokens", false), Mode::OneProcess).await;
    let http = family.layout.variables()["AUTH_APP_HTTP_ADDR"].clone();
    let changes = [
        ("--mail einstein@example.org --generate", "--mail einstein@example.org --password-stdin"),
        ("--request POST", "--fail-with-body --silent --request POST"),
        ("127.0.0.1:9247", http.as_str()),
        ("revoke --all-of einstein", "revoke --all-of einstein --yes"),
    ];
    let password = family.layout.password.clone();
    let input = async |commands: &str| {
        if commands.contains("--type appauth") { family.app_token("einstein").await } else { password.clone() }
    };
    run(&family, "app-tokens", &input, &changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_sign_in_page_succeed() {
    let family = TestFamily::start("pages-sign-in", Mode::OneProcess).await;
    let changes = [("client remove wiki", "client remove wiki --yes")];
    run(&family, "sign-in", &async |_: &str| String::new(), &changes).await;
}
