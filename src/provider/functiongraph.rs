//! Huawei FunctionGraph, on Huawei Cloud and Open Telekom Cloud.

mod endpoint;
mod sign;
