//! The binary of auth-service.

fn main() -> std::process::ExitCode {
    runtime::main::<auth_service::AuthService>()
}
