/** What is pasted to connect a device. */
export interface Where {
  /** The server's URL, as devices know it. */
  url: string;
  tenantToken: string;
}

/** Whether the server is one of `make run`, whose certificate only its own authority vouches for. */
export const isOwnMachine = ({ url }: Where): boolean => /^https:\/\/(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[)/.test(url);

const CA = "/etc/mender/lamplighter-ca.pem";

export function debian(where: Where, deviceType: string): string {
  const settings = {
    ServerURL: where.url,
    TenantToken: where.tenantToken,
    ...(isOwnMachine(where) ? { ServerCertificate: CA } : {}),
    UpdatePollIntervalSeconds: 60,
    InventoryPollIntervalSeconds: 300,
    RetryPollIntervalSeconds: 30,
  };
  const examples = "/usr/share/doc/mender-client/examples";
  return `sudo apt-get install -y mender-client mender-connect
sudo mkdir -p /data/mender
${isOwnMachine(where) ? `sudo cp ca.pem ${CA}   # .local/tls/ca.pem of the server\n` : ""}sudo tee /etc/mender/mender.conf <<'END'
${JSON.stringify(settings, null, 2)}
END
echo 'device_type=${deviceType}' | sudo tee /data/mender/device_type
echo 'artifact_name=first' | sudo tee /etc/mender/artifact_info
sudo install ${examples}/mender-device-identity /usr/share/mender/identity/
sudo install ${examples}/mender-inventory-* /usr/share/mender/inventory/
sudo systemctl restart mender-client mender-connect`;
}

export const yocto = (where: Where): string => `# conf/local.conf; needs the layer meta-mender
INHERIT += "mender-full"
MENDER_ARTIFACT_NAME = "release-1"
MENDER_SERVER_URL = "${where.url}"
MENDER_TENANT_TOKEN = "${where.tenantToken}"
IMAGE_INSTALL:append = " mender-connect"${isOwnMachine(where) ? '\n# The server\'s .local/tls/ca.pem as server.crt, in a .bbappend of mender-server-certificate\nIMAGE_INSTALL:append = " mender-server-certificate"' : ""}`;

/** A device in a shell: a key, a request to be let in, an inventory, and updates that it only pretends to install. */
export const simulated = (where: Where): string => `# ${isOwnMachine(where) ? "In the server's folder. " : ""}Needs curl and openssl; Ctrl-C ends it.
bash <<'END'
SERVER='${where.url}' TENANT='${where.tenantToken}'
cd "$(mktemp -d)" && openssl genrsa -out key.pem 2048 2>/dev/null
api() { curl -s ${isOwnMachine(where) ? `--cacert "$OLDPWD/.local/tls/ca.pem" ` : ""}-H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" "$@"; }
KEY=$(openssl rsa -in key.pem -pubout 2>/dev/null | awk '{printf "%s\\\\n", $0}')
printf '{"id_data":"{\\\\"serial\\\\":\\\\"simulated-%s\\\\"}","pubkey":"%s","tenant_token":"%s"}' "$RANDOM$RANDOM" "$KEY" "$TENANT" > ask.json
SIGNED=$(openssl dgst -sha256 -sign key.pem ask.json | openssl base64 -A)
echo 'Waiting to be accepted'
until TOKEN=$(api -f -X POST -H "X-MEN-Signature: $SIGNED" --data-binary @ask.json "$SERVER/api/devices/v1/authentication/auth_requests"); do sleep 2; done
RELEASE=first
while echo "Runs $RELEASE"; do
  api -X PATCH -d "[{\\"name\\":\\"device_type\\",\\"value\\":\\"simulated\\"},{\\"name\\":\\"artifact_name\\",\\"value\\":\\"$RELEASE\\"}]" "$SERVER/api/devices/v1/inventory/device/attributes"
  UPDATES="$SERVER/api/devices/v1/deployments/device/deployments"
  until OFFER=$(api "$UPDATES/next?device_type=simulated&artifact_name=$RELEASE") && [ "$OFFER" ]; do sleep 2; done
  ID=$(printf %s "$OFFER" | sed 's/^{"id":"\\([^"]*\\)".*/\\1/')
  RELEASE=$(printf %s "$OFFER" | sed 's/.*"artifact_name":"\\([^"]*\\)".*/\\1/')
  for STATUS in downloading installing rebooting success; do
    echo "$STATUS"
    api -X PUT -d "{\\"status\\":\\"$STATUS\\"}" "$UPDATES/$ID/status"
  done
done
END`;
