//! What the built functions do, driven as AWS and Close drive them.

mod polling;
mod world;
