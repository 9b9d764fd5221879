//! `doorward secrets rotate`

mod catalogue;
mod source;

use std::io;
use std::path::Path;

use authn::BoxError;
use config::Environment;
use runtime::Context;
use serde_json::{Value, json};

use super::{say, table};
use crate::cli::{Output, Rotate};
use crate::running::{has_read_secrets, processes};
use crate::secrets::{self, GeneratedSecret, Secrets};
use crate::services::{ServiceId, Settings};

use catalogue::KEPT_ELSEWHERE;
use source::Source;

/// Lists the secrets: where each comes from, and how it is rotated. Shows no value.
///
/// # Errors
/// When the file of secrets cannot be read.
pub(crate) fn list(output: Output, settings: &Settings, environment: &Environment) -> Result<(), BoxError> {
    let kept = Secrets::read(&settings.data)?;
    let generated = GeneratedSecret::ALL.map(|secret| {
        let source = Source::of(secret, kept.as_ref(), settings, environment);
        let has_previous = kept.as_ref().is_some_and(|kept| secret.previous_of(kept).is_some());
        let state = if has_previous { "the previous one is still accepted" } else { "" };
        [secret.name().to_owned(), source.to_string(), effect(secret).to_owned(), state.to_owned()]
    });
    if output.json {
        let generated = generated.iter().map(|[name, source, rotation, state]| {
            json!({ "name": name, "source": source, "rotation": rotation, "previous_accepted": !state.is_empty() })
        });
        let elsewhere = KEPT_ELSEWHERE
            .iter()
            .map(|secret| json!({ "name": secret.name, "variables": secret.variables, "rotation": secret.rotation }));
        return super::json(&generated.chain(elsewhere).collect::<Value>());
    }
    table(["NAME", "FROM", "ROTATION", "STATE"], &generated)?;
    say("\nNot in the data folder:")?;
    let rows = KEPT_ELSEWHERE
        .iter()
        .map(|secret| [secret.name.to_owned(), secret.variables.join(", "), secret.rotation.to_owned()]);
    table(["NAME", "VARIABLE", "ROTATION"], &rows.collect::<Vec<_>>())
}

/// What a rotation interrupts.
fn effect(secret: GeneratedSecret) -> &'static str {
    match (secret.is_reread(), secret.has_previous()) {
        (true, _) => "no interruption, no restart",
        (false, true) => "no interruption but a restart; the former value stays accepted",
        (false, false) => "a restart, with which both sides change at once",
    }
}

/// What the command is to do with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Rotate,
    EndPrevious,
}

impl Act {
    fn of(arguments: &Rotate) -> Self {
        if arguments.end_previous { Self::EndPrevious } else { Self::Rotate }
    }
}

/// The name of the audit event of these arguments.
pub(crate) fn event(arguments: &Rotate) -> &'static str {
    match Act::of(arguments) {
        Act::Rotate => "secret_rotated",
        Act::EndPrevious => "secret_previous_ended",
    }
}

/// Whether the operator wants it: ending a previous value cannot be undone.
///
/// # Errors
/// When there is no terminal to ask at.
pub(crate) fn is_confirmed(secret: GeneratedSecret, arguments: &Rotate) -> Result<bool, BoxError> {
    if Act::of(arguments) == Act::Rotate || arguments.dry_run {
        return Ok(true);
    }
    let question = format!("End the previous value of {}? Then {}.", secret.name(), secret.ends_with_previous());
    arguments.confirmation.is_given(&question)
}

/// Rotates a secret, or ends its previous value, and says what is to be done next. Returns whether something was changed.
///
/// # Errors
/// When the secret is not in the data folder, its file cannot be written, a previous value is still accepted, or the one that is to be ended is
/// still needed or is configured.
pub(crate) fn rotate(
    secret: GeneratedSecret,
    arguments: &Rotate,
    settings: &Settings,
    context: &Context,
) -> Result<bool, BoxError> {
    let (act, name, data) = (Act::of(arguments), secret.name(), &settings.data);
    check(act, secret, settings, &context.environment)?;
    if arguments.dry_run {
        let outcome = match act {
            Act::Rotate => effect(secret),
            Act::EndPrevious => secret.ends_with_previous(),
        };
        say(format_args!("{name} in {}: {outcome}; nothing was changed", data.display()))?;
        return Ok(false);
    }
    match act {
        Act::Rotate => Secrets::rotate(data, secret, &context.random)?,
        Act::EndPrevious if !Secrets::end_previous(data, secret)? => {
            say(format_args!("{name} had no previous value; nothing was changed"))?;
            return Ok(false);
        }
        Act::EndPrevious => {}
    }
    say(match act {
        Act::Rotate => format!("{name} has a new value in {}", data.display()),
        Act::EndPrevious => format!("the previous value of {name} is dropped: {}", secret.ends_with_previous()),
    })?;
    say_who_reads_it(secret, settings)?;
    if act == Act::Rotate && secret.has_previous() {
        let ends = secret.ends_with_previous();
        say(format_args!(
            "the former value is accepted until: doorward secrets rotate {name} --end-previous (then {ends})"
        ))?;
    }
    Ok(true)
}

/// Refuses what would not do what the operator expects of it.
fn check(act: Act, secret: GeneratedSecret, settings: &Settings, environment: &Environment) -> Result<(), BoxError> {
    let (name, kept) = (secret.name(), Secrets::read(&settings.data)?);
    let source = Source::of(secret, kept.as_ref(), settings, environment);
    let Some(kept) = kept.filter(|_| source == Source::DataFolder) else {
        let remedy = match act {
            Act::Rotate => source.remedy_to_rotate(secret),
            Act::EndPrevious => source.remedy_to_end(secret),
        };
        return Err(format!("{name} comes from {source}: nothing was changed; {remedy}").into());
    };
    if let Some(source) = Source::of_previous(secret, &kept, settings, environment) {
        return Err(format!(
            "{name}: {source} has a previous value, which is used in place of the former one of the data folder: nothing was changed; \
             {}, and restart doorward server",
            source.remedy_to_remove()
        )
        .into());
    }
    let needs_start = act == Act::EndPrevious && secret == GeneratedSecret::IdpEncryption;
    if needs_start && secret.previous_of(&kept).is_some() && !has_sealed_anew(&settings.data)? {
        return Err(format!(
            "{name}: no idp that runs was started since the secrets were changed: nothing was changed; restart doorward server first, as its \
             start seals anew what idp has stored, and end the previous value then"
        )
        .into());
    }
    Ok(())
}

/// Whether idp was started with the secrets as they are: at its start it seals anew what the former secret has sealed, and without that
/// secret it could open nothing of it any more.
fn has_sealed_anew(data: &Path) -> io::Result<bool> {
    has_read_secrets(data, ServiceId::Idp.name(), secrets::changed(data))
}

/// Says which processes use the new file by themselves, and which have to be restarted.
fn say_who_reads_it(secret: GeneratedSecret, settings: &Settings) -> Result<(), BoxError> {
    let running = processes(&settings.data)?.into_iter().filter(crate::running::RunningProcess::is_alive);
    let concerned: Vec<_> = running
        .filter(|process| {
            let has = |name: &str| process.services.iter().any(|service| service.name == name);
            secret.is_reread() || source::restarted(secret).iter().any(|service| has(service.name()))
        })
        .map(|process| format!("process {}", process.pid()))
        .collect();
    match (concerned.is_empty(), secret.is_reread()) {
        (true, _) => say("no process runs with this data folder; the next start reads it"),
        (false, true) => say(format_args!("{} reads it within seconds, without a restart", concerned.join(", "))),
        (false, false) => {
            say(format_args!("restart {}: doorward server reads it when it starts", concerned.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests;
