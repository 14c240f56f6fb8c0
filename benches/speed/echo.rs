//! The least that the web framework can do with a JSON body: read it and send it back.

use actix_web::{App, HttpResponse, HttpServer, web};

/// The role: prints its port and serves until it is ended.
pub(crate) fn serve() {
    let served = actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| App::new().route("/api/v1/execute", web::post().to(echo)))
            .workers(1)
            .bind(("127.0.0.1", 0))
            .unwrap();
        println!("{}", server.addrs()[0].port());
        server.run().await
    });
    served.unwrap();
}

async fn echo(body: web::Json<serde_json::Value>) -> HttpResponse {
    HttpResponse::Ok().json(body.into_inner())
}
