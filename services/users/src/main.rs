//! The `users` service as a process of its own.

fn main() -> std::process::ExitCode {
    runtime::main::<users::Users>()
}
