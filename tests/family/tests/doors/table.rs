//! The page of the book that keeps what became of each request.

use std::fmt::Write as _;

use crate::door::Column;
use crate::front::Front;

const BEGIN: &str = "# The doors, tried

What becomes of a request when another proxy asks Doorward about it: each proxy runs with the configuration of
[its page](other-proxies.md). The tests make this table and compare it with what they find; `DOORWARD_TEST_WRITE_DOORS=1` keeps a
new one.

A number is the status that the client is answered with; then nothing has reached the application. \"passes\" means that it has,
without a token; \"passes as einstein\", with a token of his that the gateway accepts. The requests about who gets in, about odd paths and
about an absent Doorward are sent with forged identity headers in several spellings; those about who gets in also without. Of what
is forged nothing has reached an application in any of these requests, but for the trailer and, at \"nginx, file\", members of families; and a
credential never has. \"nginx, file\" is nginx with [the file that clears the full names](nginx.md#passing-every-other-header-on).
The four spellings of a header are `x-access-token`, `X_Access_Token`, `X.Access.Token` and `X~Access~Token`.
Where there are two answers to an odd path the first is without a credential, the second with a password of einstein's, who is not
let into `/admin` either. `OPTIONS *` is answered by Caddy and Traefik themselves.
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
