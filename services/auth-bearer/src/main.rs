//! The binary of auth-bearer.

fn main() -> std::process::ExitCode {
    runtime::main::<auth_bearer::AuthBearer>()
}
