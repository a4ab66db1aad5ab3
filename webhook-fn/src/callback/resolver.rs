//! Names to addresses, of which only public ones are connected to.
//!
//! It is asked for every connection, and what it answers is what is connected to. So a name that leads elsewhere at the next
//! look-up gains nothing. Addresses that stand in a URL are not looked up: [`super::decide`] refuses those.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use shared::instance::settings::address;

/// The system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

/// Another resolver without the addresses that are not public.
#[derive(Clone)]
pub struct PublicResolver {
    inner: Arc<dyn Resolve>,
}

/// All that a name leads to is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name leads to no public address")]
pub struct NoPublicAddress;

impl PublicResolver {
    /// Answers what `inner` does, less what is not public.
    pub fn new(inner: impl Resolve + 'static) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl NoPublicAddress {
    /// Whether an error came from this one.
    pub fn caused(error: &(dyn Error + 'static)) -> bool {
        let mut causes = std::iter::successors(Some(error), |&error| error.source());
        causes.any(<dyn Error>::is::<Self>)
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the URL's.
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<_> = addresses.collect();
            Ok::<Addrs, _>(Box::new(addresses.into_iter()))
        })
    }
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolving = self.inner.resolve(name);
        Box::pin(async move {
            let is_public = |address: &SocketAddr| address::is_public(address.ip());
            let addresses: Vec<_> = resolving.await?.filter(is_public).collect();
            if addresses.is_empty() {
                return Err(NoPublicAddress.into());
            }
            Ok::<Addrs, _>(Box::new(addresses.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Mutex;

    use reqwest::dns::{Addrs, Name, Resolve, Resolving};
    use tokio::net::TcpListener;

    use super::{NoPublicAddress, PublicResolver, SystemResolver};

    /// Answers from a list, a look-up after the other.
    struct Scripted(Mutex<Vec<Vec<&'static str>>>);

    impl Scripted {
        fn new(answers: &[&[&'static str]]) -> Self {
            let answers = answers.iter().rev().map(|answer| answer.to_vec());
            Self(Mutex::new(answers.collect()))
        }
    }

    impl Resolve for Scripted {
        fn resolve(&self, _: Name) -> Resolving {
            let answer = self.0.lock().unwrap().pop().unwrap();
            let addresses = answer
                .into_iter()
                .map(|address| SocketAddr::new(address.parse().unwrap(), 0));
            let addresses: Vec<_> = addresses.collect();
            Box::pin(async { Ok::<Addrs, _>(Box::new(addresses.into_iter())) })
        }
    }

    async fn lookup(resolver: &PublicResolver) -> Result<Vec<String>, String> {
        let addresses = resolver.resolve("app.example.com".parse().unwrap()).await;
        let addresses = addresses.map_err(|error| error.to_string())?;
        Ok(addresses.map(|address| address.ip().to_string()).collect())
    }

    fn client(resolver: impl Resolve + 'static) -> reqwest::Client {
        let builder = reqwest::Client::builder().no_proxy();
        builder
            .dns_resolver(PublicResolver::new(resolver))
            .build()
            .unwrap()
    }

    #[tokio::test]
    async fn a_name_leads_to_its_public_addresses_alone() {
        let resolver = PublicResolver::new(Scripted::new(&[
            &["10.0.0.1", "8.8.8.8", "fe80::1", "2606:4700::1111"],
            &["192.168.0.1", "::1"],
            &[],
        ]));
        let public = ["8.8.8.8", "2606:4700::1111"].map(str::to_owned);
        assert_eq!(lookup(&resolver).await.unwrap(), public);
        for _ in 0..2 {
            let refused = lookup(&resolver).await.unwrap_err();
            assert_eq!(refused, "the name leads to no public address");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_here_at_the_next_lookup_is_not_connected_to() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // What was looked up before, by whomever, makes no difference: the connection has its own look-up.
        let resolver = PublicResolver::new(Scripted::new(&[&["8.8.8.8"], &["127.0.0.1"]]));
        assert!(lookup(&resolver).await.is_ok());
        let request = client(resolver).get(format!("http://app.example.com:{port}/"));
        let error = request.send().await.unwrap_err();
        assert!(NoPublicAddress::caused(&error), "{error:?}");
        assert!(error.is_connect());
        let accepted = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
        accepted.unwrap_err();
    }

    #[tokio::test]
    async fn this_machines_own_name_is_not_connected_to() {
        let request = client(SystemResolver).get("http://localhost:9/");
        let error = request.send().await.unwrap_err();
        assert!(NoPublicAddress::caused(&error), "{error:?}");
    }

    #[test]
    fn another_error_is_not_mistaken_for_it() {
        assert!(!NoPublicAddress::caused(&std::io::Error::other(
            "no such host"
        )));
        assert!(NoPublicAddress::caused(&NoPublicAddress));
    }
}
