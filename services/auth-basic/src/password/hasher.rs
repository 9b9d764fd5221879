//! Making verifiers: argon2id (RFC 9106).

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Verifier;

/// The memory that argon2 fills; kept from one hash to the next, as to get 19 MiB anew takes a tenth of the time.
pub(crate) type Memory = Vec<Block>;

const OUTPUT_BYTES: usize = 32;

/// What a new verifier costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cost {
    /// The memory in KiB that hashing a password takes.
    #[schemars(extend("x-env" = ["<P>_ARGON2_MEMORY"]))]
    pub memory: u32,
    /// How often it goes over that memory.
    #[schemars(extend("x-env" = ["<P>_ARGON2_ITERATIONS"]))]
    pub iterations: u32,
    /// The lanes that memory is divided into.
    #[schemars(extend("x-env" = ["<P>_ARGON2_PARALLELISM"]))]
    pub parallelism: u32,
}

impl Default for Cost {
    /// The least that OWASP recommends: 19 MiB, two passes.
    fn default() -> Self {
        Self { memory: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// The cost is one that argon2 does not know, or that is refused when verifying.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the cost of argon2 is out of bounds")]
pub struct CostError;

/// Makes verifiers of one cost.
#[derive(Debug, Clone)]
pub(crate) struct Hasher {
    params: Params,
}

impl Hasher {
    pub(crate) fn new(cost: Cost) -> Result<Self, CostError> {
        let params = Params::new(cost.memory, cost.iterations, cost.parallelism, Some(OUTPUT_BYTES));
        let params = params.map_err(|_| CostError)?;
        if Verifier::is_affordable(&params) { Ok(Self { params }) } else { Err(CostError) }
    }

    /// How many blocks a hash fills.
    pub(crate) fn blocks(&self) -> usize {
        self.params.block_count()
    }

    /// A verifier for this password, as a PHC string.
    pub(crate) fn hash(&self, password: &[u8], salt: [u8; 16], memory: &mut Memory) -> String {
        let mut output = [0; OUTPUT_BYTES];
        fill(
            &Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone()),
            password,
            &salt,
            &mut output,
            memory,
        );
        self.phc(salt, &output)
    }

    /// A verifier that no password matches and that costs as much as any other. Both arguments are to be random.
    pub(crate) fn decoy(&self, salt: [u8; 16], output: [u8; OUTPUT_BYTES]) -> Verifier {
        Verifier::parse(&self.phc(salt, &output)).expect("what is made here can be read")
    }

    /// Whether a verifier is what this would make today.
    pub(crate) fn is_current(&self, verifier: &Verifier) -> bool {
        verifier.is_argon2id_with(&self.params)
    }

    fn phc(&self, salt: [u8; 16], output: &[u8]) -> String {
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.params).expect("checked parameters have a text"),
            salt: Some(Salt::new(&salt).expect("sixteen bytes are a salt")),
            hash: Some(Output::new(output).expect("32 bytes are an output")),
        };
        hash.to_string()
    }
}

/// Runs argon2 in memory that may still hold an earlier run's blocks, all of which are overwritten before they are read.
pub(super) fn fill(argon2: &Argon2<'_>, password: &[u8], salt: &[u8], output: &mut [u8], memory: &mut Memory) {
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::default());
    }
    let done = argon2.hash_password_into_with_memory(password, salt, output, &mut memory[..blocks]);
    done.expect("lengths are checked where parameters, salts and outputs come from");
}
