//! Walks an OpenID Provider and prints what came of it.

mod arguments;

use std::{fs, io::Write, process::ExitCode};

use clap::Parser;

use self::arguments::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    match walk(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether no check failed.
async fn walk(arguments: &Arguments) -> Result<bool, String> {
    let target = arguments.target()?;
    let report = conformance::run(&target, &arguments.plans()).await;
    let table = report.table();
    if let Some(file) = &arguments.table {
        let title = arguments.title.as_deref().unwrap_or(&target.issuer);
        let text = format!("# Conformance of {title}\n\n{table}");
        fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let mut out = std::io::stdout().lock();
    out.write_all(table.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    Ok(report.failures().is_empty())
}
