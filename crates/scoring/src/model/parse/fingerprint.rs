//! A digest of what tallies depend on.

use serde_json::Value;

/// FNV-1a over dimensions and hand-raises, their keys in order, whatever order the document has them in.
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
