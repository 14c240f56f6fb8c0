//! The keywords of OpenSSH that are passed over: a service has no use for them, or its own settings say it.

/// Known to OpenSSH up to version 10 and not used here.
const PASSED_OVER: &str = "\
    addkeystoagent addressfamily afstokenpassing batchmode bindaddress bindinterface canonicaldomains \
    canonicalizefallbacklocal canonicalizehostname canonicalizemaxdots canonicalizepermittedcnames \
    casignaturealgorithms certificatefile challengeresponseauthentication channeltimeout checkhostip cipher \
    clearallforwardings compression compressionlevel connectionattempts controlmaster controlpath \
    controlpersist dsaauthentication dynamicforward enableescapecommandline enablesshkeysign escapechar \
    exitonforwardfailure fallbacktorsh fingerprinthash forkafterauthentication forwardagent forwardx11 \
    forwardx11timeout forwardx11trusted gatewayports globalknownhostsfile2 gssapiauthentication \
    gssapidelegatecredentials gssapitrustdns hashknownhosts hostbasedacceptedalgorithms \
    hostbasedauthentication hostbasedkeytypes identitiesonly identityagent ipqos kbdinteractiveauthentication \
    kbdinteractivedevices keepalive knownhostscommand localcommand localforward loglevel logverbose \
    nohostauthenticationforlocalhost numberofpasswordprompts obscurekeystroketiming passwordauthentication \
    permitlocalcommand permitremoteopen pkcs11provider preferredauthentications protocol proxyusefdpass \
    pubkeyacceptedalgorithms pubkeyacceptedkeytypes pubkeyauthentication rekeylimit remotecommand \
    remoteforward requesttty requiredrsasize rhostsrsaauthentication rsaauthentication securitykeyprovider \
    sendenv serveralivecountmax serveraliveinterval sessiontype setenv skeyauthentication smartcarddevice \
    stdinnull streamlocalbindmask streamlocalbindunlink syslogfacility tag tcpkeepalive tisauthentication \
    tunnel tunneldevice updatehostkeys usekeychain useprivilegedport userknownhostsfile2 useroaming usersh \
    verifyhostkeydns versionaddendum visualhostkey warnweakcrypto xauthlocation";

/// True for a keyword, in small letters, that changes nothing here.
pub(super) fn is_passed_over(keyword: &str) -> bool {
    PASSED_OVER.split(' ').any(|known| known == keyword)
}
