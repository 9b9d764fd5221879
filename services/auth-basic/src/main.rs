//! The `auth-basic` service as a process of its own.

fn main() -> std::process::ExitCode {
    runtime::main::<auth_basic::AuthBasic>()
}
