//! What nobody in good faith does, and what somebody does by mistake: SECURITY.md says what zpki holds
//! against it, and these tests that it does.

mod escapes;
mod input;
mod keys;
mod links;
mod secrets;
