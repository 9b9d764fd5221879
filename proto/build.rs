//! Makes Rust of the contracts, without `protoc`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message as _;

/// The folders that hold contracts.
const ROOTS: [&str; 5] = ["cs3", "doorward", "envoy", "google", "ocis"];

/// Messages that carry a secret. Their `Debug` is written by hand, in `src/redacted.rs`, and does not show it.
const SECRET: [&str; 28] = [
    ".cs3.auth.applications.v1beta1.AppPassword",
    ".cs3.auth.applications.v1beta1.GetAppPasswordRequest",
    ".cs3.auth.applications.v1beta1.InvalidateAppPasswordRequest",
    ".cs3.auth.provider.v1beta1.AuthenticateRequest",
    ".cs3.gateway.v1beta1.AuthenticateRequest",
    ".cs3.gateway.v1beta1.AuthenticateResponse",
    ".cs3.gateway.v1beta1.WhoAmIRequest",
    ".doorward.apptokens.v1.CreateTokenResponse",
    ".doorward.apptokens.v1.ImportedToken",
    ".doorward.apptokens.v1.RevokeTokenRequest",
    ".doorward.gateway.v1.MintRequest",
    ".doorward.gateway.v1.MintResponse",
    ".doorward.idp.v1.AddClientResponse",
    ".doorward.idp.v1.AddInitialAccessResponse",
    ".doorward.idp.v1.BeginTotpResponse",
    ".doorward.idp.v1.ConfirmTotpRequest",
    ".doorward.idp.v1.ConfirmTotpResponse",
    ".doorward.idp.v1.RegenerateRecoveryCodesResponse",
    ".doorward.idp.v1.RotateSecretResponse",
    ".doorward.idp.v1.UpdateClientResponse",
    ".doorward.passwords.v1.ChangeOwnPasswordRequest",
    ".doorward.passwords.v1.JudgePasswordRequest",
    ".doorward.passwords.v1.ResetPasswordRequest",
    ".doorward.passwords.v1.SetPasswordRequest",
    ".doorward.serviceaccounts.v1.AddSecretResponse",
    ".doorward.serviceaccounts.v1.CreateServiceAccountResponse",
    ".envoy.config.core.v3.HeaderValue",
    ".envoy.service.auth.v3.AttributeContext.HttpRequest",
];

#[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script through the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for root in ROOTS {
        println!("cargo:rerun-if-changed={root}");
        collect(Path::new(root), &mut files)?;
    }
    files.sort();

    let descriptors = protox::compile(&files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    tonic_prost_build::configure().btree_map(".").skip_debug(SECRET).compile_fds(descriptors)?;
    Ok(())
}

/// Adds the contracts below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
