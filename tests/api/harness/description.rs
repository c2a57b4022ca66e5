//! The operations that the description of the service names.

use serde_json::Value;

/// An operation of the description.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) described: Value,
}

impl Operation {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The scope that it asks for, by its description; none: it is public.
    pub(crate) fn scope(&self) -> Option<String> {
        let security = self.described["security"].as_array().unwrap_or_else(|| panic!("{}", self.name()));
        let scopes = security.iter().find_map(|way| way.get("key"))?;
        Some(scopes[0].as_str().unwrap_or_else(|| panic!("{} names no scope", self.name())).to_owned())
    }

    /// A path of this operation; what stands for a parameter is no id.
    pub(crate) fn example(&self) -> String {
        let parts = self.path.split('/').map(|part| if part.starts_with('{') { "sales" } else { part });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// Every operation that the service describes.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(leadscore::routes::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                let (method, path) = (method.to_uppercase(), path.clone());
                operations.push(Operation { method, path, described: described.clone() });
            }
        }
    }
    operations
}
