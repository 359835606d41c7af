//! NAVER Cloud Functions: all operations of both API generations.
//!
//! Facts: NCP API documents "Cloud Functions" (compute-cloudfunctions, compute-cloudfunctions-v2), read 2026-10.
