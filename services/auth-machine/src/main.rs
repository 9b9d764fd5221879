//! The `auth-machine` service as a process of its own.

fn main() -> std::process::ExitCode {
    runtime::main::<auth_machine::AuthMachine>()
}
