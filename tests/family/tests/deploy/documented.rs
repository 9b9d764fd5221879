//! The variables that the services document, from the generated tables in their READMEs.

use std::collections::BTreeSet;

use crate::deploy::read;

/// The variables of a service, as its configuration describes them.
pub(crate) struct Documented {
    /// All names of its settings, without the equal `OC_` names.
    pub(crate) names: BTreeSet<String>,
    /// Those of secrets, each of which may have `_FILE` appended.
    pub(crate) secrets: BTreeSet<String>,
}

impl Documented {
    /// Those of a service. `cargo xtask env-docs --check` compares the table with the service's schema.
    pub(crate) fn of(service: &str) -> Self {
        let readme = read(&format!("services/{service}/README.md"));
        let (_, table) = readme.split_once("<!-- env:begin -->").expect("a table begins");
        let (table, _) = table.split_once("<!-- env:end -->").expect("the table ends");
        let cells = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        let names = cells.flat_map(|names| names.split("<br>")).filter(|name| is_variable(name)).map(str::to_owned);
        let secrets = table.lines().find(|line| line.starts_with("These are secrets")).unwrap_or_default();
        let secrets = secrets.split('`').filter(|text| is_variable(text) && *text != "_FILE").map(str::to_owned);
        let found = Self { names: names.collect(), secrets: secrets.collect() };
        assert!(found.names.contains("OCIS_LOG_LEVEL"), "{service}: {:?}", found.names);
        assert!(found.secrets.is_subset(&found.names), "{service}: {:?}", found.secrets);
        found
    }

    /// Whether a variable is one of the service's: a name, an equal `OC_` name, or the name of a file that holds a secret.
    pub(crate) fn has(&self, variable: &str) -> bool {
        let name = variable.strip_prefix("OC_").map_or_else(|| variable.to_owned(), |rest| format!("OCIS_{rest}"));
        let of_file = name.strip_suffix("_FILE").is_some_and(|secret| self.secrets.contains(secret));
        self.names.contains(&name) || of_file
    }
}

fn is_variable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The other name of a variable: `OC_X` for `OCIS_X`.
pub(crate) fn equal(name: &str) -> Option<String> {
    name.strip_prefix("OCIS_").map(|rest| format!("OC_{rest}"))
}
