//! The page of the book that keeps what became of each request.

use std::fmt::Write as _;

use crate::front_proxies::door::Column;
use crate::front_proxies::front::Front;

const BEGIN: &str = "# Tested proxies

What happens to a request when another proxy asks Doorward about it. Each proxy runs with the configuration of
[its page](other-proxies.md). The tests generate this table and compare it with their results; with `DOORWARD_TEST_WRITE_DOORS=1`
they write a new one.

A number is the status that the client gets; the request has then not reached the application. \"passes\" means that it has, without
a token; \"passes as einstein\", with a token of einstein that the gateway accepts. The requests in the sections on access, on
ambiguous paths and on an unavailable Doorward carry forged identity headers in several spellings; those on access are also sent
without. In these requests no forged header has reached an application, except the trailer and, for \"nginx, file\", members of
families; and no credential has. \"nginx, file\" is nginx with
[the file that clears the full names](nginx.md#passing-every-other-header-on). The four spellings of a header are `x-access-token`,
`X_Access_Token`, `X.Access.Token` and `X~Access~Token`. If there are two answers to an ambiguous path, the first is without a
credential, the second with the password of einstein, who has no access to `/admin` either. Caddy and Traefik answer `OPTIONS *`
themselves.
";

/// The page.
pub(crate) fn of(columns: &[(Front, Column)]) -> String {
    let mut page = BEGIN.to_owned();
    let names = columns.iter().map(|(front, _)| front.name()).collect::<Vec<_>>().join(" | ");
    let rule = "---|".repeat(columns.len());
    let versions = columns.iter().map(|(front, _)| front.version()).collect::<Vec<_>>().join(" | ");
    let _ = write!(page, "\n| | {names} |\n|---|{rule}\n| version | {versions} |\n");
    let Some((_, first)) = columns.first() else { return page };
    let mut section = "";
    for (at, (in_section, row, _)) in first.cells.iter().enumerate() {
        if *in_section != section {
            section = in_section;
            let _ = write!(page, "\n## {section}\n\n| | {names} |\n|---|{rule}\n");
        }
        let cells = columns.iter().map(|(_, column)| match column.cells.get(at) {
            Some((_, same, text)) if same == row => text.as_str(),
            _ => "missing",
        });
        let _ = writeln!(page, "| {row} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    page
}

/// The lines of the page but the one with the versions: a machine may have others of a distribution's proxies.
pub(crate) fn without_versions(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter(|line| !line.starts_with("| version |"))
}
