//! A digest of the parts of a document that tallies depend on.

use serde_json::Value;

/// The 32-bit FNV-1a hash of `dimensions` and `hand_raise`. Keys are sorted, so their order in the document
/// does not matter.
pub(super) fn of(document: &Value) -> u32 {
    let mut digest = 0x811c_9dc5;
    for key in ["dimensions", "hand_raise"] {
        digest = value(document.get(key).unwrap_or(&Value::Null), digest);
    }
    digest
}

fn value(part: &Value, digest: u32) -> u32 {
    match part {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let digest = entries.into_iter().fold(bytes(b"{", digest), |digest, (key, entry)| {
                value(entry, bytes(b"\"", bytes(key.as_bytes(), digest)))
            });
            bytes(b"}", digest)
        }
        Value::Array(entries) => {
            bytes(b"]", entries.iter().fold(bytes(b"[", digest), |digest, entry| value(entry, digest)))
        }
        scalar => bytes(b",", bytes(scalar.to_string().as_bytes(), digest)),
    }
}

fn bytes(bytes: &[u8], digest: u32) -> u32 {
    bytes.iter().fold(digest, |digest, byte| (digest ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
