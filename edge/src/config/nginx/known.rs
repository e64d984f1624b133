//! Directives that need no counterpart, and those that have none, each with the reason.

/// What becomes of a directive that the conversion does not look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is so anyway, or it is about nginx itself: nothing to say.
    Needless,
    /// It is left out, for this reason.
    Missing(&'static str),
}

/// Looks a directive up; `None` for one that is not known at all.
pub(super) fn fate(name: &str) -> Option<Fate> {
    let named = |names: &[&str]| names.contains(&name);
    // What an application behind another protocol is told: the pass itself has its comment.
    let foreign = ["fastcgi_", "uwsgi_", "scgi_", "grpc_", "memcached_"];
    let is_foreign = foreign.iter().any(|start| name.starts_with(start));
    if is_foreign && !is_pass(name) {
        return Some(Fate::Needless);
    }
    if name.contains("_by_lua") || name.starts_with("lua_") {
        return Some(Fate::Missing("programs are not run here"));
    }
    if named(NEEDLESS) {
        return Some(Fate::Needless);
    }
    let reasons = MISSING.iter().find(|(names, _)| named(names));
    reasons.map(|(_, reason)| Fate::Missing(reason))
}

/// Whether a directive hands requests to something else.
pub(super) fn is_pass(name: &str) -> bool {
    matches!(
        name,
        "proxy_pass" | "fastcgi_pass" | "uwsgi_pass" | "scgi_pass" | "grpc_pass" | "memcached_pass"
    ) || name.starts_with("content_by_lua")
}

const NEEDLESS: &[&str] = &[
    // One that is not there, which is said at the top.
    "include",
    // How nginx works inside.
    "user",
    "pid",
    "daemon",
    "master_process",
    "worker_cpu_affinity",
    "worker_priority",
    "worker_rlimit_nofile",
    "worker_connections",
    "worker_shutdown_timeout",
    "events",
    "use",
    "multi_accept",
    "accept_mutex",
    "pcre_jit",
    "load_module",
    "error_log",
    "types_hash_max_size",
    "types_hash_bucket_size",
    "server_names_hash_bucket_size",
    "server_names_hash_max_size",
    "variables_hash_max_size",
    "variables_hash_bucket_size",
    "server_tokens",
    "server_name_in_redirect",
    "port_in_redirect",
    "absolute_redirect",
    "sendfile",
    "sendfile_max_chunk",
    "aio",
    "directio",
    "tcp_nopush",
    "tcp_nodelay",
    "keepalive_requests",
    "reset_timedout_connection",
    "resolver",
    "resolver_timeout",
    "log_not_found",
    "etag",
    "underscores_in_headers",
    "ignore_invalid_headers",
    "merge_slashes",
    "charset",
    // Always so here.
    "http2",
    "http2_max_concurrent_streams",
    "http3",
    "http3_hq",
    "quic_gso",
    "proxy_http_version",
    "proxy_buffering",
    "proxy_buffers",
    "proxy_buffer_size",
    "proxy_busy_buffers_size",
    "proxy_max_temp_file_size",
    "proxy_temp_file_write_size",
    "proxy_temp_path",
    "proxy_socket_keepalive",
    // There is one store, bounded by `[bounds] cache`; GET and HEAD are stored.
    "proxy_cache_path",
    "proxy_cache_methods",
    "proxy_cache_min_uses",
    "proxy_cache_revalidate",
    "proxy_redirect",
    "proxy_ssl_session_reuse",
    "proxy_ssl_protocols",
    "proxy_ssl_ciphers",
    "proxy_ssl_verify_depth",
    "proxy_ssl_conf_command",
    "proxy_pass_request_body",
    "proxy_next_upstream",
    "proxy_next_upstream_tries",
    "proxy_next_upstream_timeout",
    "chunked_transfer_encoding",
    "client_body_buffer_size",
    "client_body_temp_path",
    "client_header_buffer_size",
    "autoindex_exact_size",
    "autoindex_localtime",
    "brotli_comp_level",
    "brotli_types",
    "gzip_proxied",
    "gzip_vary",
    "gzip_types",
    "gzip_comp_level",
    "gzip_disable",
    "gzip_buffers",
    "gzip_http_version",
    "keepalive_disable",
    "ssl",
    "ssl_ciphers",
    "ssl_conf_command",
    "ssl_dhparam",
    "ssl_ecdh_curve",
    "ssl_prefer_server_ciphers",
    "ssl_session_cache",
    "ssl_session_tickets",
    "ssl_session_timeout",
    "ssl_session_ticket_key",
    "ssl_stapling_verify",
    "ssl_trusted_certificate",
    "ssl_verify_depth",
    "ssl_buffer_size",
    "ssl_early_data",
    "limit_req_dry_run",
    "limit_conn_dry_run",
    "limit_req_status",
    "limit_req_log_level",
    "limit_conn_status",
    "limit_conn_log_level",
    "zone",
    "large_client_header_buffers",
    "random",
    "least_conn",
    "keepalive_time",
    // Memory and how much of it at a time.
    "aio_write",
    "client_body_in_single_buffer",
    "connection_pool_size",
    "directio_alignment",
    "http2_body_preread_size",
    "http2_chunk_size",
    "http2_max_field_size",
    "http2_max_header_size",
    "http2_max_requests",
    "http2_push",
    "http2_push_preload",
    "http2_recv_buffer_size",
    "map_hash_bucket_size",
    "map_hash_max_size",
    "open_file_cache",
    "open_file_cache_errors",
    "open_file_cache_min_uses",
    "open_file_cache_valid",
    "output_buffers",
    "postpone_output",
    "proxy_headers_hash_bucket_size",
    "proxy_headers_hash_max_size",
    "read_ahead",
    "referer_hash_bucket_size",
    "referer_hash_max_size",
    "request_pool_size",
    "subrequest_output_buffer_size",
    // For programs that are no longer there.
    "msie_padding",
    "msie_refresh",
    // Of what has a comment of its own.
    "add_after_body",
    "addition_types",
    "autoindex_format",
    "create_full_put_path",
    "dav_access",
    "min_delete_depth",
    "mirror_request_body",
    "secure_link_md5",
    "sub_filter_last_modified",
    "sub_filter_once",
    "sub_filter_types",
];

const MISSING: &[(&[&str], &str)] = &[
    (
        &["ssl_ocsp"],
        "authorities are not asked about clients; `client_crl` names the certificates that are revoked",
    ),
    (
        &[
            "ssl_stapling_responder",
            "ssl_ocsp_responder",
            "ssl_ocsp_cache",
        ],
        "the responder is the one that the certificate names",
    ),
    (
        &["proxy_cache_key", "proxy_cache_bypass", "proxy_no_cache"],
        "scheme, host, path and query make the question, `key_headers` adds to it; see docs/content.md",
    ),
    (
        &[
            "otel_exporter",
            "otel_service_name",
            "otel_trace",
            "otel_trace_context",
            "otel_span_attr",
            "otel_span_name",
        ],
        "[trace] sends spans to a collector over HTTP",
    ),
    (
        &["error_page"],
        "pages are files of a host and no other answers: see `error_pages`; another server in place of one \
         that fails is `backup = true` in `servers`, a page for paths without a file is `fallback`",
    ),
    (
        &["proxy_intercept_errors"],
        "what a server says of an error passes; `error_pages` are for the edge's own answers",
    ),
    (
        &[
            "auth_jwt",
            "auth_jwt_key_file",
            "auth_jwt_key_request",
            "auth_jwt_leeway",
            "auth_jwt_claim_set",
            "auth_jwt_require",
        ],
        "nobody checks tokens here until [host.route.jwt] names their issuer, see docs/auth.md",
    ),
    (&["autoindex"], "directories are never listed"),
    (
        &["proxy_pass_request_headers"],
        "fields go on to the server; `request_headers = [\"-Name\"]` removes one",
    ),
    (
        &["if", "set", "map", "geo", "valid_referers"],
        "conditions have no counterpart; write a route for each case, with `methods`, `headers` such as \
         \"Origin: https://a.example\", `regex`, or with `allow` and `deny` for networks",
    ),
    (
        &["split_clients"],
        "clients are divided by the `weight` of servers alone: write one upstream with the servers of all parts, \
         their shares as `weight`, and `policy = \"hash\"` so that clients stay",
    ),
    (
        &["rewrite", "break"],
        "a path is looked up once; write a `regex` route with `rewrite` and the `upstream` of the location that \
         it leads to, or with `redirect`",
    ),
    (
        &[
            "proxy_cookie_domain",
            "proxy_cookie_path",
            "proxy_cookie_flags",
        ],
        "cookies pass as the server sets them",
    ),
    (
        &["sticky", "sticky_cookie_insert"],
        "no cookies are made; `policy = \"hash\"` keeps clients at their server, with `hash_key = \"cookie:NAME\"` \
         by one that the application sets",
    ),
    (&["queue"], "who finds no server free is answered at once"),
    (
        &["secure_link", "secure_link_secret"],
        "links are not signed here; the application has to look",
    ),
    (
        &["recursive_error_pages"],
        "a page is a file, it is never asked for",
    ),
    (
        &["dav_methods", "dav_ext_methods"],
        "files are only read: pass uploads to a server",
    ),
    (
        &["modsecurity", "modsecurity_rules", "modsecurity_rules_file"],
        "bodies are not searched for attacks",
    ),
    (
        &["more_set_headers", "more_clear_headers"],
        "write `response_headers`",
    ),
    (
        &["more_set_input_headers", "more_clear_input_headers"],
        "write `request_headers`",
    ),
    (
        &["fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass"],
        "upstreams speak HTTP; run the application behind an HTTP server",
    ),
    (&["grpc_pass"], "write an upstream with `protocol = \"h2\"`"),
    (
        &["hash"],
        "write `policy = \"hash\"` with one `hash_key`: \"address\", \"path\", \"uri\", \"header:NAME\" or \
         \"cookie:NAME\"",
    ),
    (
        &["satisfy"],
        "whoever asks must satisfy all that the route asks for; networks that need no password want a name of \
         their own: a [[host]] with `allow` and without it",
    ),
    (
        &["limit_rate", "limit_rate_after"],
        "answers go as fast as clients take them; `concurrent` of [limits.NAME] bounds how many a client takes \
         at once",
    ),
    (&["limit_except"], "write a route with `methods`"),
    (
        &["proxy_ignore_headers"],
        "what answers say of storing them is obeyed",
    ),
    (
        &["proxy_cache_purge"],
        "nothing is purged; a reload empties the store",
    ),
    (
        &["log_format"],
        "access log lines are JSON with fixed names, see docs/observe.md",
    ),
    (
        &["access_log"],
        "there is one log for all routes; `sample` of [log] thins it out",
    ),
    (
        &["stub_status"],
        "counters are on the metrics page, see [metrics]",
    ),
    (
        &[
            "sub_filter",
            "subs_filter",
            "add_before_body",
            "ssi",
            "image_filter",
        ],
        "content passes unchanged: let the application write it; what it says of its own address comes from \
         X-Forwarded-Host, -Proto",
    ),
    (
        &[
            "mirror",
            "js_import",
            "js_content",
            "perl",
            "empty_gif",
            "mp4",
            "flv",
            "random_index",
            "slice",
            "userid",
            "proxy_bind",
            "proxy_method",
            "proxy_set_body",
            "proxy_store",
            "proxy_limit_rate",
            "proxy_ignore_client_abort",
            "proxy_force_ranges",
            "add_trailer",
            "client_body_in_file_only",
        ],
        "not done here",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_directive_has_two_fates() {
        let mut names: Vec<&str> = NEEDLESS.to_vec();
        names.extend(MISSING.iter().flat_map(|(names, _)| names.iter()));
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
