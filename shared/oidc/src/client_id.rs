//! The identifiers of clients that the documents of OpenCloud, oCIS and Pydio Cells name. Installations register them at every provider
//! under these identifiers, ours has them built in.

/// The identifiers.
pub const BUILT_IN: [&str; 11] = [
    "web",
    "OpenCloudDesktop",
    "OpenCloudAndroid",
    "OpenCloudIOS",
    "xdXOt13JKxym1B1QcEncf2XDkLAexMBFwiT9j6EfhhHFJhs2KM9jbjTmf8JBXE69",
    "e4rAsNUSIUs0lF4nbv9FmCeUkTlV9GdgTLDH1b5uie7syb90SzEVrbN7HIpmWJeD",
    "mxd5OQDk6es5LzOzRvidJNfXLUZS2oN3oUFeXPP8LpPrhx3UroJFduGEYIBOxkY1",
    "cells-frontend",
    "cells-sync",
    "cells-client",
    "cells-mobile",
];

/// Whether it is one of them, byte for byte.
pub fn is_built_in(id: &str) -> bool {
    BUILT_IN.contains(&id)
}
