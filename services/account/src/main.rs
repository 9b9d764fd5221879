//! The binary of account.

fn main() -> std::process::ExitCode {
    runtime::main::<account::Account>()
}
