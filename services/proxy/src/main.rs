//! The binary of proxy.

fn main() -> std::process::ExitCode {
    runtime::main::<proxy::Proxy>()
}
