//! What is signed, how, and until when it opens.

mod ends;
mod url;
mod world;
