//! Codes of devices and commands that failed.

use super::ErrorCode;

/// In the order of their names.
pub const DEVICES: &[ErrorCode] = &[
    of_device(
        "auth_method_unsupported",
        "The device takes other kinds of login than the request has credentials for.",
        "Give what the sentence says is offered: a password, or a `private_key` with its passphrase.",
        "authentication: 192.0.2.1:22 offers only publickey and the request gives a password; give what the device takes",
    ),
    of_device(
        "auth_paused",
        "The device has refused this user too often of late, and the service does not ask it again for some minutes: devices and AAA servers lock accounts, and some shut out everybody. Nothing was sent.",
        "Correct the password; other credentials than those that were refused are tried at once, as long as they are not guesses. If the account was repaired on the device, wait as long as the sentence says. `SHOWRUNNER_LOGIN_REFUSALS` and `SHOWRUNNER_LOGIN_PAUSE` set how often and how long.",
        "authentication: not tried, because 192.0.2.1:22 has refused this user 2 times of late and might lock the account; check user name and password, and try again in 300 s",
    ),
    of_device(
        "auth_rejected",
        "The device refused this user name with this password or key. One attempt was made; it is never repeated, so that no account is locked (see `auth_paused`).",
        "Check `username` and `password`, by hand with ssh if need be. Check that the user may log in over SSH from the service's address, and that the AAA server knows him. A password that has expired is refused like this by devices that demand a new one within SSH's own password login.",
        "authentication: 192.0.2.1:22 refused the password of this user; check user name and password (one attempt was made)",
    ),
    of_device(
        "auth_timeout",
        "The device did not answer the login in time.",
        "Its AAA server (TACACS+, RADIUS) is slow or cannot be reached: look there. Where it is only slow, raise `SHOWRUNNER_AUTHENTICATE_TIMEOUT`.",
        "authentication: 192.0.2.1:22 gave no answer within 30 s; its AAA server may be slow or unreachable",
    ),
    of_device(
        "banner_timeout",
        "Something took the TCP connection and then said nothing.",
        "Check `port`. Free VTY lines on the device; many devices accept and stay silent when all are taken. A firewall may accept in its place.",
        "handshake: 192.0.2.1:22 accepted the connection but sent no SSH banner within 15 s; check that the port is SSH and that the device has a free VTY line",
    ),
    of_device(
        "cancelled",
        "The session was ended from outside: the caller hung up, or the service was stopped.",
        "Keep the connection open until the answer is there; raise the client's or the proxy's timeout. If the service was stopped, ask again.",
        "the session was cancelled: the caller went away or the service is stopping",
    ),
    of_device(
        "configuration_prompt",
        "The device stood at a configuration prompt, where no reading session has business. Nothing was typed there.",
        "Look at the device: the user's login may begin in configuration mode (an autocommand, a macro).",
        "session: 192.0.2.1:22 stands at a configuration prompt; the session was ended without an answer and nothing was configured",
    ),
    of_device(
        "connect_timeout",
        "Nothing came back from the device's address.",
        "Check address, route and firewall from the service's host or container. Where the way is only long, raise `SHOWRUNNER_CONNECT_TIMEOUT`.",
        "connect: no answer from 192.0.2.1:22 within 10 s; check address, route and firewall",
    ),
    of_device(
        "connection_failed",
        "The system knows no way to the device, or the connection broke at once.",
        "Check address and route; the sentence has the system's reason.",
        "connect: 192.0.2.1:22 cannot be reached (host unreachable); check address, route and firewall",
    ),
    of_device(
        "connection_refused",
        "The host is there, and nothing listens at this port.",
        "Check `port`; switch SSH on at the device (`ip ssh version 2`, `crypto key generate rsa`); check its access lists.",
        "connect: 192.0.2.1:22 refused the connection; check the port and that SSH is enabled on the device",
    ),
    of_device(
        "credential_refused",
        "The credential set that the request names is for other devices. Nothing was sent.",
        "Check the address, the port and the name; every address of a name must be the set's. Operator: `targets`, `names` and `ports` of the set in the file that `SHOWRUNNER_CREDENTIALS_FILE` names.",
        "credential: the set `lab` is not for 192.0.2.1:22 (its address is not one of the set's); the service's operator says which devices it is for",
    ),
    of_device(
        "credential_unavailable",
        "The secrets of a credential set cannot be read from where the operator keeps them. Nothing was sent.",
        "The sentence says what failed; the service's log has the place and what to do. Operator: check the file, and that the service may read it; with Vault its address, the token and its policy, and the path.",
        "credential: the secrets of the set `lab` cannot be had (a file of it cannot be read: entity not found); the service's log says where it was looked",
    ),
    of_device(
        "device_timeout",
        "All commands of the device together took longer than one device may.",
        "Ask for fewer or shorter commands, or raise `SHOWRUNNER_DEVICE_TOTAL_TIMEOUT`. What had come is in the outputs.",
        "device: 192.0.2.1:22 was not done within the 900 s that one device may take; what had come is in its outputs",
    ),
    of_device(
        "disconnected",
        "The device closed the connection.",
        "The sentence says in which phase. Before the banner: access lists or VTY lines. At the login: too many failed logins, or rights. At a command: the device's idle or session limits, or its restart.",
        "command: 192.0.2.1:22 closed the connection in the middle of a command; what had come is in its output",
    ),
    of_device(
        "enable_rejected",
        "`enable` with the request's `enable_password` did not lead to a privileged prompt.",
        "Check `enable_password`. Where the user begins privileged, or needs no more, leave it out.",
        "enable: 192.0.2.1:22 refused the enable password; check `enable_password` and the user's rights",
    ),
    of_device(
        "handshake_failed",
        "The two sides did not agree on a secure channel.",
        "The sentence has the SSH library's reason. Old devices need `\"ssh_profile\": \"legacy\"`; a device without a host key needs one made.",
        "handshake: 192.0.2.1:22 and Showrunner could not set up SSH (Unable to exchange encryption keys)",
    ),
    of_device(
        "handshake_timeout",
        "The device began the SSH handshake and did not finish it.",
        "Its processor may be busy: try again, or raise `SHOWRUNNER_HANDSHAKE_TIMEOUT`. If it happens always with large packets, check the MTU of the way.",
        "handshake: 192.0.2.1:22 did not finish the SSH handshake within 15 s",
    ),
    of_device(
        "host_key_changed",
        "The device showed another SSH key than the one that the request or known_hosts names. No password was sent.",
        "If the device was replaced or its key was made anew, give the new key. If not, somebody may stand in the way: do not.",
        "host key: 192.0.2.1:22 showed ssh-ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU, but the request has SHA256:uNiVztksCsDhcc0u9e8BrrJRBNXEV9xLYfUjYAX3QFs; no password was sent. If the device's key was changed on purpose, give the new one; if it has keys of several types, give the type too",
    ),
    of_device(
        "host_key_revoked",
        "The device showed an SSH key that known_hosts marks as revoked. No password was sent.",
        "Make a new key on the device, and give that one.",
        "host key: 192.0.2.1:22 showed ssh-ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU, which known_hosts has revoked; no password was sent. Give the device a new key",
    ),
    of_device(
        "host_key_unknown",
        "Neither the request nor known_hosts names an SSH key for the device, and the service asks for one. No password was sent.",
        "Compare the fingerprint with the device's own (`show ip ssh`, `show ssh key` …) and give it as `host_key`, or put it into the file that `SHOWRUNNER_KNOWN_HOSTS` names.",
        "host key: 192.0.2.1:22 showed ssh-ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU, and neither the request nor known_hosts names a key for it; no password was sent. Compare it with the device's own and give it as `host_key`",
    ),
    of_device(
        "host_key_unproven",
        "The device's SSH key is not one that the operator's known_hosts names, and the credential set of the request asks for that. No password was sent.",
        "Operator: compare the fingerprint with the device's own and put the key into the file that `SHOWRUNNER_KNOWN_HOSTS` names; or say with `host_keys` of the set who else may name it.",
        "host key: 192.0.2.1:22 showed ssh-ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU, and this credential set goes only to devices whose key known_hosts names; no password was sent. Have the service's operator put the key into known_hosts",
    ),
    of_device(
        "internal_error",
        "A fault of Showrunner itself.",
        "Report it with the log lines of this request id, which hold no secrets.",
        "internal: the session ended by a fault of Showrunner itself; the log has more under this request id",
    ),
    of_device(
        "jump_disconnected",
        "A host on the way to the device hung up, or its connection broke.",
        "Try again. If it happens always after the same time, look at the jump host's idle limits and its log.",
        "jump: the connection to hop 1 broke during command; what had come is in the outputs",
    ),
    of_device(
        "jump_failed",
        "A host on the way to the device could not be reached or logged in to; the sentence has its error.",
        "It is the error of that host, not of the device: check its address, its credentials and its key in `jump`.",
        "jump: hop 1 of 2 failed: authentication: 192.0.2.9:22 refused the password of this user; check user name and password (one attempt was made)",
    ),
    of_device(
        "jump_forwarding_refused",
        "A host on the way lets the user in and does not let him on to the device.",
        "Allow forwarding on the jump host for this user: in OpenSSH `AllowTcpForwarding` and `PermitOpen`.",
        "jump: hop 1 (192.0.2.9:22) does not forward connections to 192.0.2.1:22; allow it there for this user (in OpenSSH AllowTcpForwarding and PermitOpen)",
    ),
    of_device(
        "jump_unusable",
        "The service's SSH configuration sends the device over hosts that cannot be gone over; the sentence has file and line.",
        "The operator mends the configuration: a key that can be read, a `User`, no `ProxyCommand`, no circle. Or the request says the way in `jump`.",
        "jump: the service's SSH configuration has no usable way to core1 (/config/ssh_config line 4: ProxyCommand is not run here; say the same with ProxyJump); its operator can mend that, or give `jump`",
    ),
    of_device(
        "key_unusable",
        "The request's `private_key` cannot be read, or using it would take seconds that nothing could end: its numbers have more than 8,192 bits, it is longer than an encrypted key of that size, or its passphrase is stirred too often.",
        "The sentence says what it looks like. Give an OpenSSH or PEM key whole, the private half, with its line ends (`\\n` in JSON), and `private_key_passphrase` if it is encrypted.",
        "authentication: the private key cannot be used (it is encrypted, and there is no passphrase); give an OpenSSH or PEM key and its passphrase",
    ),
    of_device(
        "late_echo",
        "The device showed its prompt again before it echoed what was typed there, seconds later: the service took it for one that does not echo, and cannot tell its outputs apart any more. Outputs since its login may be empty.",
        "Try again when the device or the way to it is less busy. If it happens always, report it with the platform and what the device shows at login.",
        "session: 192.0.2.1:22 seemed not to echo what is typed and then did, seconds late: which output belongs to which command was not certain any more, and the session was ended; the device is very slow, try again when it is less busy",
    ),
    of_device(
        "no_common_algorithm",
        "The device's SSH is too old, or too new, for the algorithms that were offered.",
        "Give `\"ssh_profile\": \"legacy\"` for that device, and think about new software for it: what it offers is broken cryptography.",
        "handshake: 192.0.2.1:22 and Showrunner have no SSH algorithm in common under the `modern` profile; if the device is old, ask for \"ssh_profile\": \"legacy\"",
    ),
    of_device(
        "not_ssh",
        "What listens at the port does not speak SSH.",
        "Check `port`: 23 is Telnet, 443 is HTTPS, 830 is NETCONF.",
        "handshake: what listens at 192.0.2.1:23 does not speak SSH; check the port",
    ),
    of_device(
        "password_expired",
        "The device wants the user to change his password before anything else.",
        "Log in by hand and change it; give service accounts passwords that do not expire.",
        "authentication: 192.0.2.1:22 demands a password change for this user; change it on the device first",
    ),
    of_device(
        "prompt_timeout",
        "The login worked, and no prompt of this platform came.",
        "Check `os`: the sentence shows the last line of the screen. A prompt of a form of its own needs a definition (`SHOWRUNNER_PLATFORMS_DIR`). Where the device is only slow, raise `SHOWRUNNER_PROMPT_TIMEOUT`.",
        "prompt: 192.0.2.1:22 showed no Cisco IOS prompt within 30 s; its last line was `edge1 ready`; check `os`",
    ),
    of_device(
        "queue_timeout",
        "All sessions, or those with this device, were in use for longer than a device may wait; the sentence says which.",
        "Ask again later or for fewer devices; raise `SHOWRUNNER_MAX_CONCURRENT_DEVICES`, or `SHOWRUNNER_MAX_SESSIONS_PER_DEVICE` where it is one device that is asked often.",
        "queue: 192.0.2.1:22 had no turn within 300 s, because all sessions were in use; ask again later or for fewer devices",
    ),
    of_device(
        "request_timeout",
        "The whole request took longer than one may.",
        "Ask for fewer devices at once, or raise `SHOWRUNNER_REQUEST_TOTAL_TIMEOUT`. What had come by then is in the answer.",
        "request: 192.0.2.1:22 was not done when the 3600 s were over that one request may take; ask for fewer devices at once",
    ),
    of_device(
        "resolve_failed",
        "The device's name has no address.",
        "Check the name, and the DNS servers and search domains of the service's host or container; or give the address.",
        "resolve: edge9.example.net has no address (name or service not known); check the name and the service's DNS",
    ),
    of_device(
        "resolve_timeout",
        "The DNS servers did not answer in time.",
        "Check DNS from the service's host or container; or give addresses.",
        "resolve: no answer for edge9.example.net within 5 s; check the service's DNS",
    ),
    of_device(
        "session_limit",
        "All the device's lines or sessions are taken, or this user's are.",
        "Log others out (`clear line vty` is yours to type, not Showrunner's), raise the device's limit, or ask again later.",
        "login: 192.0.2.1:22 has no free session (too many users); log others out or ask again later",
    ),
    of_device(
        "shell_prompt",
        "The login leads to a prompt of another kind than the platform's, such as a Unix shell.",
        "Check `os` (`linux` for a shell), and which shell or CLI the user's account begins in.",
        "session: 192.0.2.1:22 stands at a prompt of another kind than Cisco IOS's; the session was ended without an answer; check `os` and the user's login shell",
    ),
    of_device(
        "shell_refused",
        "The device let the user in and gave him no terminal.",
        "Check the user's rights on the device: the account may be for file transfer or NETCONF only.",
        "login: 192.0.2.1:22 gives no terminal to this user (channel request denied); check the user's rights",
    ),
    of_device(
        "target_refused",
        "The service's settings, or the limits of the caller's API key, do not let it connect there.",
        "Check the address. Operator: `SHOWRUNNER_TARGETS_ALLOW`, `_DENY`, `_PORTS`; loopback addresses are for the demo only (`SHOWRUNNER_TARGETS_ALLOW_LOOPBACK`).",
        "target: 127.0.0.1:22 is not allowed (loopback address); the service's settings decide which targets are",
    ),
    of_device(
        "terminal_timeout",
        "The device did not open a terminal in time.",
        "Its processor or its AAA server may be busy: try again. Authorisation of the shell may hang at a server that cannot be reached.",
        "login: 192.0.2.1:22 opened no terminal within 30 s",
    ),
    of_device(
        "unexpected_question",
        "The device asked something, such as [confirm] or Password:. It got no answer.",
        "Run the command by hand to see the question; leave out the command that asks. After the login: accept the banner or the licence once by hand.",
        "session: 192.0.2.1:22 asks a question instead of showing its prompt; it got no answer and the session was ended",
    ),
];

/// In the order of their names. A command that the session's end cut off has the device's code.
pub const COMMANDS: &[ErrorCode] = &[
    of_device(
        "cli_error",
        "The device ran the line and said that it is wrong; its words are in `output`.",
        "Check the command by hand on the device: a typing error, a feature that is not there, or a right that the user lacks (then give `enable_password`, any text where `enable` asks for none, or another user).",
        "command: the device refused `show ip ospf neigbor`: % Invalid input detected at '^' marker.",
    ),
    of_device(
        "command_timeout",
        "The prompt did not come back in time.",
        "Raise `timeout`, of the request or of this command, or filter the output. What had come is in `output`, with `truncated: true`.",
        "command: 192.0.2.1:22 did not finish `show tech-support` within 30 s (81920 bytes came); raise `timeout` or filter the output",
    ),
    of_device(
        "filter_timeout",
        "The service's own filter was not through with the output in time.",
        "Use a simpler pattern; large repetitions take longest. The whole output is in `output`.",
        "filter: the output of `show logging | include (a?){900}b` could not be filtered within 2 s, and is there whole; use a simpler pattern",
    ),
    of_device(
        "not_run",
        "The session had ended before the command's turn came.",
        "See the error of the device or of the command before it.",
        "command: not sent, because the session ended before its turn",
    ),
    of_device(
        "uncertain_output",
        "The output holds the device's own prompt with this command behind it, which is the sign of its beginning. Either that is text (a neighbour's description, a shown file), and all is right; or the output of the command before holds such a text, was taken to end there, and has its rest at the front of this one.",
        "Compare the outputs of this command and of the one before with the device's own, or ask for each in a request of its own. Find out who wrote the text: nothing prints it by chance. A session's last output cannot be told so: a warning of the device says it. Outputs of EOS, ArubaOS, Comware, RouterOS and PAN-OS are not told so, because those print an echo twice themselves.",
        "command: 192.0.2.1:22 printed its prompt with `show clock` behind it in two places, and one of them is text: if it is the first, what stands before the second belongs to the command before; compare both with the device's own",
    ),
];

const fn of_device(
    code: &'static str,
    cause: &'static str,
    cure: &'static str,
    example: &'static str,
) -> ErrorCode {
    ErrorCode { code, status: None, cause, cure, example }
}
