//! Generated parts of texts that people write: between two marks.

/// The text with what stands between the two marks replaced; nothing where a mark is missing.
pub(crate) fn replaced(text: &str, (begin, end): (&str, &str), generated: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", generated.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: (&str, &str) = ("<!-- a:begin -->", "<!-- a:end -->");

    #[test]
    fn generated_text_replaces_what_is_between_the_marks() {
        let (begin, end) = MARKS;
        let text = format!("# a\n\n{begin}\nold\n{end}\n\nafter\n");
        let written = replaced(&text, MARKS, "new\n").unwrap();
        assert_eq!(written, format!("# a\n\n{begin}\nnew\n{end}\n\nafter\n"));
        assert_eq!(replaced(&written, MARKS, "new\n").unwrap(), written, "writing twice changes nothing");
    }

    #[test]
    fn text_without_both_marks_is_refused() {
        let (begin, end) = MARKS;
        for text in ["", begin, end, &format!("{end} {begin}")] {
            assert_eq!(replaced(text, MARKS, "new"), None, "{text}");
        }
    }
}
