//! Round trips through real folders: what is written is read again, once, at any cut and restart.

mod avro;
mod orc;
mod read;
mod table;
mod write;
