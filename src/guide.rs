//! The guides, from a first session to running it: what they show is compiled or run by the tests.
//!
//! They are also in the folder `docs` of the repository.

/// A guide from `docs`. Its links to other guides lead to the modules here: of two definitions of a link the first counts.
macro_rules! guides {
    ($($name:ident: $file:literal,)*) => {$(
        #[doc = "\
[auth]: crate::guide::auth
[check]: crate::guide::check
[client]: crate::guide::client
[clients]: crate::guide::clients
[console]: crate::guide::console
[deployment]: crate::guide::deployment
[embedding]: crate::guide::embedding
[faq]: crate::guide::faq
[getting_started]: crate::guide::getting_started
[hosts]: crate::guide::hosts
[layers]: crate::guide::layers
[metrics]: crate::guide::metrics
[options]: crate::guide::options
[permissions]: crate::guide::permissions
[policies]: crate::guide::policies
[protocol]: crate::guide::protocol
[push]: crate::guide::push
[python]: crate::guide::python
[resume]: crate::guide::resume
[storage]: crate::guide::storage
[tools]: crate::guide::tools
[webhooks]: crate::guide::webhooks
"]
        #[doc = include_str!(concat!("../docs/", $file))]
        pub mod $name {}
    )*};
}

guides! {
    getting_started: "getting-started.md",
    hosts: "hosts.md",
    embedding: "embedding.md",
    options: "options.md",
    tools: "tools.md",
    policies: "policies.md",
    auth: "auth.md",
    permissions: "permissions.md",
    webhooks: "webhooks.md",
    push: "push.md",
    resume: "resume.md",
    storage: "storage.md",
    layers: "layers.md",
    deployment: "deployment.md",
    metrics: "metrics.md",
    protocol: "protocol.md",
    client: "client.md",
    check: "check.md",
    clients: "clients.md",
    console: "console.md",
    python: "python.md",
    faq: "faq.md",
}

/// The README's snippets are compiled with the guides'.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
