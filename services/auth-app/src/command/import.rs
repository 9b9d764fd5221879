//! `import`: the tokens of another system.

use std::path::PathBuf;

use authn::BoxError;
use clap::{Args, ValueEnum};
use proto::doorward::apptokens::v1::{ImportOutcome, ImportTokensRequest, ImportedToken};
use runtime::{Context, print};

use super::operator::{Operator, seconds};
use crate::Config;
use crate::grpc::convert::{epoch, word};
use crate::import::{self, FormatError, Record};

/// How many tokens are brought in one call.
const BATCH: usize = 500;

/// Imports app tokens of another system. Their secrets keep working: those of oCIS and OpenCloud are recognised at
/// their first use, which may take some seconds, and are found at once from then on. What was imported before is not
/// changed, so that the command can be repeated.
#[derive(Debug, Args)]
pub struct Import {
    /// Where they come from
    #[arg(long, value_enum)]
    from: Source,
    /// oCIS: its appauth.json; OpenCloud: the folder with a file a user; Cells: the rows of its table as JSON
    path: PathBuf,
    /// Prints what would happen, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Prints a line for each token that is not imported
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Source {
    Ocis,
    Opencloud,
    Cells,
}

impl Import {
    pub(super) async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let records = self.records().map_err(|(path, error)| format!("{} {error}", path.display()))?;
        let mut operator = Operator::connect(defaults, context)?;
        let mut outcomes = Vec::with_capacity(records.len());
        for batch in records.chunks(BATCH) {
            let tokens = batch.iter().map(message).collect();
            outcomes.extend(operator.import(ImportTokensRequest { tokens, dry_run: self.dry_run }).await?);
        }
        if self.verbose {
            for (record, outcome) in records.iter().zip(&outcomes) {
                report_one(record, *outcome)?;
            }
        }
        self.report(&outcomes)
    }

    fn records(&self) -> Result<Vec<Record>, (PathBuf, FormatError)> {
        let failed = |error| (self.path.clone(), error);
        let read = || std::fs::read(&self.path).map_err(FormatError::from);
        match self.from {
            Source::Ocis => read().and_then(|file| import::ocis(&file)).map_err(failed),
            Source::Opencloud => import::opencloud(&self.path),
            Source::Cells => read().and_then(|file| import::cells(&file)).map_err(failed),
        }
    }

    fn report(&self, outcomes: &[ImportOutcome]) -> Result<(), BoxError> {
        let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        let verb = if self.dry_run { "would be imported" } else { "imported" };
        print(format_args!("{} app tokens\n", outcomes.len()))?;
        for (outcome, words) in [
            (ImportOutcome::Imported, verb),
            (ImportOutcome::Known, "imported before"),
            (ImportOutcome::Expired, "expired"),
            (ImportOutcome::UnknownOwner, "whose owner is not in the directory"),
            (ImportOutcome::Refused, "with a hash, scopes or an expiration that cannot be read"),
        ] {
            let number = count(outcome);
            if number > 0 || outcome == ImportOutcome::Imported {
                print(format_args!("{number:>8} {words}\n"))?;
            }
        }
        Ok(())
    }
}

fn report_one(record: &Record, outcome: ImportOutcome) -> Result<(), BoxError> {
    let why = match outcome {
        ImportOutcome::Imported | ImportOutcome::Unspecified => return Ok(()),
        ImportOutcome::Known => "imported before",
        ImportOutcome::Expired => "expired",
        ImportOutcome::UnknownOwner => "unknown owner",
        ImportOutcome::Refused => "cannot be read",
    };
    let owner = if record.owner_username.is_empty() { &record.owner_id } else { &record.owner_username };
    print(format_args!("{why}: {:?} of {owner}\n", record.label))
}

fn message(record: &Record) -> ImportedToken {
    ImportedToken {
        id: record.id.clone(),
        owner_id: record.owner_id.clone(),
        owner_username: record.owner_username.clone(),
        verifier: record.verifier.clone(),
        label: record.label.clone(),
        kind: word(record.kind).into(),
        scopes: record.scopes.clone(),
        created: epoch(record.created),
        expires: record.expires.map(epoch),
        window: record.window.map(seconds),
        last_used: record.last_used.map(epoch),
    }
}
