//! Where a repository is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::{BackupRepo, failure};
use crate::error::{Error, Kind, Result};
use crate::folder;

/// Says where the repository is when the options do not.
const REPO_VARIABLE: &str = "OPENWA_BACKUP_REPO";
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may be silent within an answer.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a request is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of S3-compatible storage, and the folder in it; without a server it is Amazon's.
    Bucket { server: Option<String>, bucket: String, folder: String },
}

impl Place {
    /// Reads what the options or the environment say, as restic writes it.
    pub(super) fn of(repo: &BackupRepo) -> Result<Self> {
        let variable = || std::env::var(REPO_VARIABLE).ok();
        let text = repo.repo.clone().or_else(variable).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| {
            Error::invalid(
                "repo",
                format!("no repository is given; name a folder or s3:…, or set {REPO_VARIABLE}"),
            )
        })?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let text = format!("{why}; S3 is written s3:https://host/bucket/folder or s3://bucket/folder");
            Error::invalid("repo", text)
        };
        let Some(rest) = text.strip_prefix("s3:") else {
            let other = text.split_once(':').map(|(scheme, _)| scheme);
            if let Some(scheme) =
                other.filter(|s| ["sftp", "rest", "rclone", "b2", "azure", "gs", "swift"].contains(s))
            {
                return Err(wrong(&format!(
                    "a repository at {scheme}: cannot be written; it may be a folder or on S3"
                )));
            }
            return Ok(Place::Folder(text.strip_prefix("local:").unwrap_or(text).into()));
        };
        let (server, path) = if let Some(path) = rest.strip_prefix("//") {
            (None, path.to_owned())
        } else {
            let with_scheme = if rest.contains("://") { rest.to_owned() } else { format!("https://{rest}") };
            let url =
                Url::parse(&with_scheme).map_err(|e| wrong(&format!("the address cannot be read ({e})")))?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err(wrong("credentials do not belong into the address but into AWS_ACCESS_KEY_ID"));
            }
            let server = match url.host_str() {
                Some(host) if matches!(url.scheme(), "http" | "https") => {
                    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
                    format!("{}://{host}{port}", url.scheme())
                }
                _ => return Err(wrong("the address names no server")),
            };
            (Some(server), url.path().trim_start_matches('/').to_owned())
        };
        let (bucket, folder) = path.split_once('/').unwrap_or((&path, ""));
        if bucket.is_empty() {
            return Err(wrong("the address names no bucket"));
        }
        Ok(Place::Bucket { server, bucket: bucket.to_owned(), folder: folder.trim_matches('/').to_owned() })
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        match self {
            Place::Folder(path) => path.display().to_string(),
            Place::Bucket { server, bucket, folder } => {
                let slash = if folder.is_empty() { "" } else { "/" };
                format!("s3:{}/{bucket}{slash}{folder}", server.as_deref().unwrap_or("/"))
            }
        }
    }

    /// Makes the folder, if it is one.
    pub(super) fn make(&self) -> Result<()> {
        let Place::Folder(path) = self else { return Ok(()) };
        folder::make_private(path).map_err(|e| Error::from(e).with("repo", path.display()))
    }

    /// The storage, and the path of the repository in it.
    pub(super) fn storage(&self) -> Result<(Arc<dyn ObjectStore>, Path)> {
        let told = |e: object_store::Error| failure::of_storage(&e, &self.shown());
        match self {
            Place::Folder(path) => {
                let files = LocalFileSystem::new_with_prefix(path).map_err(told)?;
                Ok((Arc::new(files.with_fsync(true)), Path::default()))
            }
            Place::Bucket { server, bucket, folder } => {
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_http_connector(Connector)
                    .with_retry(RetryConfig {
                        max_retries: 8,
                        retry_timeout: PATIENCE,
                        ..RetryConfig::default()
                    });
                if let Some(server) = server {
                    builder = builder.with_endpoint(server).with_allow_http(server.starts_with("http://"));
                }
                let storage = builder.build().map_err(told)?;
                let folder = Path::parse(folder).map_err(|e| {
                    Error::invalid("repo", format!("the folder in the bucket cannot be used: {e}"))
                })?;
                Ok((Arc::new(storage), folder))
            }
        }
    }
}

/// Makes the connections to a server, with the cryptography that the rest of the library uses.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic {
            store: "S3",
            source: e,
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(e.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .user_agent(concat!("openwa-store/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| failed(e.into()))?;
        Ok(HttpClient::new(client))
    }
}

/// What says that there is no repository.
pub(super) fn nothing_at(place: &Place) -> Error {
    Error::new(Kind::NotFound, "there is no repository; `openwa backup create` makes one")
        .with("repo", place.shown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_restic_does() {
        let bucket = |server: Option<&str>, bucket: &str, folder: &str| Place::Bucket {
            server: server.map(str::to_owned),
            bucket: bucket.to_owned(),
            folder: folder.to_owned(),
        };
        let read = |text: &str| Place::parse(text).unwrap();
        assert_eq!(read("/var/backups/openwa"), Place::Folder("/var/backups/openwa".into()));
        assert_eq!(read("local:b"), Place::Folder("b".into()));
        assert_eq!(
            read("s3:https://s3.example.com/b/c/d/"),
            bucket(Some("https://s3.example.com"), "b", "c/d")
        );
        assert_eq!(read("s3:http://[::1]:9000/b"), bucket(Some("http://[::1]:9000"), "b", ""));
        assert_eq!(read("s3:s3.amazonaws.com/b"), bucket(Some("https://s3.amazonaws.com"), "b", ""));
        assert_eq!(read("s3://b/c"), bucket(None, "b", "c"));
        for text in
            ["/var/backups/openwa", "s3:https://s3.example.com/b/c/d", "s3://b/c", "s3:http://[::1]:9000/b"]
        {
            assert_eq!(read(text).shown(), text);
        }
        for bad in [
            "s3:",
            "s3://",
            "s3:https://host",
            "s3:https://key:secret@host/b",
            "sftp:host:/b",
            "s3:ftp://h/b",
        ] {
            let e = Place::parse(bad).unwrap_err();
            assert!(e.kind() == Kind::InvalidArgument && !e.to_string().contains("secret"), "{e}");
        }
    }
}
