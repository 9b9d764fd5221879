//! The memory of the process as the kernel and the allocator count it.

use std::fs;

use mimalloc::MiMalloc;
use serde_json::{Map, Value, json};

/// The lines of `/proc/self/status` that are shown, and their names.
const LINES: [(&str, &str); 7] = [
    ("VmRSS:", "resident_bytes"),
    ("VmHWM:", "resident_peak_bytes"),
    ("RssAnon:", "resident_anonymous_bytes"),
    ("RssFile:", "resident_file_bytes"),
    ("VmData:", "data_bytes"),
    ("VmSwap:", "swapped_bytes"),
    ("VmSize:", "virtual_bytes"),
];

/// The figures of the kernel in bytes, and those of mimalloc as it names them.
pub(super) fn figures() -> Value {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    json!({ "process": process(&status), "allocator": allocator() })
}

fn process(status: &str) -> Map<String, Value> {
    let bytes = |mark: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(mark))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    LINES.iter().filter_map(|(mark, name)| Some(((*name).to_owned(), bytes(mark)?.into()))).collect()
}

fn allocator() -> Value {
    let figures = MiMalloc::stats_json().ok();
    figures.and_then(|text| serde_json::from_slice(text.to_bytes()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_kernel_are_bytes() {
        let status = "Name:\techo\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t4\n";
        let expected = json!({ "resident_bytes": 1_048_576, "resident_peak_bytes": 2_097_152 });
        assert_eq!(Value::Object(process(status)), expected);
    }

    #[test]
    fn kernel_and_allocator_have_figures() {
        let figures = figures();
        assert!(figures["process"]["resident_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{figures}");
        assert!(figures["allocator"].is_object(), "{figures}");
    }
}
