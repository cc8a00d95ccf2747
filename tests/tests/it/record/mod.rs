//! The record as people read it, after or while it is written.

mod query;
mod views;
