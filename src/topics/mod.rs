//! Papers into topics, and onto a map.
//!
//! All that is here is computed from the neighbour graph of the vectors, and is the same to the byte whatever the number of threads.

mod layout;

pub use layout::{Position, lay_out};
