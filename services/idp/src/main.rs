//! The binary of idp.

fn main() -> std::process::ExitCode {
    runtime::main::<idp::Idp>()
}
