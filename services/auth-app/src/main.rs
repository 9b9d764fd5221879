//! The binary of auth-app.

fn main() -> std::process::ExitCode {
    runtime::main::<auth_app::AuthApp>()
}
