//! The family in one process.

fn main() -> std::process::ExitCode {
    doorward::main()
}
