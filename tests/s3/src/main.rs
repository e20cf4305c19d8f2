//! `s3-server FOLDER ACCESS_KEY SECRET_KEY [DELAY_MS]`: serves the buckets in a folder as S3 does, on
//! any free port of the loopback, which it prints; each request only after the delay. It ends when
//! its standard input does.

use std::io;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, access_key, secret_key, delay @ ..] = arguments.as_slice() else {
        return Err(io::Error::other("usage: s3-server FOLDER ACCESS_KEY SECRET_KEY [DELAY_MS]"));
    };
    let delay = delay.first().map_or(Ok(0), |ms| ms.parse()).map_err(io::Error::other)?;
    let files = FileSystem::new(folder).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(access_key.clone(), secret_key.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let (mut input, mut end) = (tokio::io::stdin(), [0]);
    tokio::select! {
        served = serve(listener, service.build(), Duration::from_millis(delay)) => served,
        _ended = input.read(&mut end) => Ok(()),
    }
}

async fn serve(listener: TcpListener, service: S3Service, delay: Duration) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let http = Builder::new(TokioExecutor::new());
            let delayed = service_fn(move |request: Request<Incoming>| {
                let service = service.clone();
                async move {
                    tokio::time::sleep(delay).await;
                    service.call(request.map(Body::from)).await
                }
            });
            // A client that goes away in the middle is its own affair.
            let _ended = http.serve_connection(TokioIo::new(socket), delayed).await;
        });
    }
}
