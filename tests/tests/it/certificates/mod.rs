//! Certificates: whom the gate admits, what a revocation does, what is replaced while a room is served,
//! and what each side says when TLS ends before the greeting.

mod gate;
mod refusals;
mod renewal;
mod revocation;
