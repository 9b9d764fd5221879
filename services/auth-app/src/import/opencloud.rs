//! `OpenCloud`: a folder with a file a user, tokens by their UUID.

use std::collections::BTreeMap;
use std::path::Path;

use super::ocis::AppPassword;
use super::{FormatError, Record};

/// Reads every `<user id>.json` of a folder.
///
/// # Errors
/// When the folder or a file cannot be read, or a file is none of these; with the file's name.
pub fn opencloud(folder: &Path) -> Result<Vec<Record>, (std::path::PathBuf, FormatError)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, FormatError::File(error))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        files.push(entry.map_err(at(folder))?.path());
    }
    files.sort();
    let mut records = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let text = std::fs::read(file).map_err(at(file))?;
        let owner = file.file_stem().unwrap_or_default().to_string_lossy();
        let tokens: BTreeMap<String, AppPassword> =
            serde_json::from_slice(&text).map_err(|error| (file.clone(), error.into()))?;
        records.extend(tokens.into_iter().map(|(id, token)| token.record(&id, &owner)));
    }
    Ok(records)
}
