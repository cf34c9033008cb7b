"""Every bound of the system, in one place: name, value, and where it comes from.

"Mender" marks a bound of the server whose API this is, which clients and scripts may rely on; "own" marks one
that keeps a request, an item or a transaction small. Sizes are in bytes unless the name says otherwise.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# HTTP
BODY = 1 * MIB  # Mender: default request limit
LAMBDA_PAYLOAD = 6 * MIB  # AWS: request and response of a Lambda function, base64 included
BALANCER_PAYLOAD = 1 * MIB  # AWS: the same behind a load balancer
PER_PAGE_DEFAULT = 20  # Mender
PER_PAGE_MAX = 500  # Mender
QUERY_VALUES = 500  # own: values of one repeated query parameter; a URL of UUIDs holds fewer
JSON_DEPTH = 64  # own: deeper documents are refused before they are walked
ETAGS = 50  # own: entity tags of one If-Match
REQUEST_ID = 128  # own: a longer X-MEN-RequestID is replaced, it would be copied into every log line

# Calls to servers that a tenant names
OUTBOUND_TIME = 10  # Mender: seconds for a whole call
OUTBOUND_ANSWER = 1 * MIB  # own: what is read of an answer
OUTBOUND_FRAMING = 256 * KIB  # own: what an answer may have beside twice its body: header, sizes of chunks

# Callers without an account
NEW_DEVICES = 1000  # own: of a tenant from one network in an hour; LAMPLIGHTER_NEW_DEVICES replaces it
PENDING_DEVICES = 10_000  # own: of a tenant; LAMPLIGHTER_PENDING_DEVICES or its setting pending_devices replaces it
PENDING_DEVICES_MAX = 1_000_000  # own: the most that a tenant may set
PENDING_LOOKED_AT = 100  # own: pending devices among which the oldest is looked for when there are too many
PENDING_FIRST_SEEN = 600  # own: seconds after which a pending device that asks again is noted as seen
PENDING_UNSEEN = 3_600  # own: seconds after which a pending device that never asked again may be dropped
PENDING_SEEN_ACCURACY = 86_400  # own: seconds between two notes that a pending device was seen
PENDING_LOST = 172_800  # own: seconds without such a note after which a pending device may be dropped
SIGNUPS = 5  # own: sign-ups from one network in an hour
SIGNUPS_IN_ALL = 200  # own: sign-ups from all networks in an hour
MAILS_PER_ADDRESS = 5  # own: account mails that one network has sent to one address in MAILS_WINDOW seconds
MAILS_TO_ADDRESS = 20  # own: account mails of one kind to one address in MAILS_WINDOW seconds, whoever asks
MAILS_WINDOW = 3_600  # own
MAILS_PER_NETWORK = 200  # own: account mails to any addresses that one network has sent in an hour
LOGIN_FAILURES_PER_NETWORK = 1000  # own: failed logins of any addresses from one network in an hour
SSO_LOGINS_PER_NETWORK = 300  # own: logins that one network begins at a tenant's identity providers in an hour
SSO_LOGINS = 3000  # own: the same from all networks

# Device authentication
ID_DATA = 16 * KIB  # own: keeps a device's auth record well below DynamoDB's 400 KB
PUBKEY = 8 * KIB  # own: an RSA-16384 key in PEM is 2.8 KB
AUTH_SETS_PER_DEVICE = 20  # own: every key that claims an identity is kept until someone decides on it
DEVICE_IDS = 1000  # own: ids of devices in one search; twice what the largest page shows
TEST_DEVICES = 10  # Mender: of one tenant
FLAG_CHANGES = 20  # Mender: of one tenant in a day

# Inventory
INVENTORY_ATTRIBUTES = 100  # Mender: of one device in scope inventory
TAGS = 20  # Mender: of one device
ATTRIBUTE_NAME = 1024  # Mender
ATTRIBUTE_VALUE = 64 * KIB  # own
INVENTORY_ITEM = 300 * KIB  # own: DynamoDB ends at 400 KB
GROUP_NAME = 256  # Mender
GROUP_DEVICES = 5000  # own: devices that one call puts into a group or takes out of it
SEARCH_TEXT = 255  # own: characters of a text that is searched for
SEARCH_SORT = 20  # own: attributes to sort by
SNAPSHOT_CHANGES = 500  # own: changed devices below which a tenant needs no new snapshot; or 1 % of its devices
SNAPSHOT_STEP = 10_000  # own: changed devices that one build takes in, and most that a search looks at one by one
SNAPSHOT_TENANTS = 100  # own: tenants whose snapshots and changes a process holds
FILTERS = 500  # own: saved filters of a tenant
FILTER_NAME = 256  # own: characters
FILTER_TERMS = 100  # own: conditions of a filter or a search
FILTER_SIZE = 16 * KIB  # own: a filter's terms; dynamic deployments carry a copy

# Artifacts and releases
ARTIFACT_UPLOAD = 10 * GIB  # Mender
GENERATED_FILE = 256 * MIB  # Mender: the form of which an artifact is generated
ARTIFACT_DESCRIPTION = 4096  # Mender
ARTIFACT_NAME = 4096  # Mender: in a deployment
ARTIFACT_RECORD = 300 * KIB  # own: what is shown of an artifact is one item, and so is a release
ARTIFACT_VALUES = 1000  # own: values of one list in a header: device types, a dependency, cleared provides
ARTIFACTS_PER_RELEASE = 100  # own: a release is one item
ARTIFACT_NAMES_QUERY = 100  # Mender: names in a v2 filter
RELEASE_NOTES = 1024  # Mender
RELEASE_TAGS = 20  # Mender
RELEASE_TAG = 1024  # Mender
RELEASE_TAGS_TOTAL = 100  # Mender: distinct tags of a tenant
UPDATE_TYPES = 1000  # own: payload types that are remembered of a tenant
UPDATE_TYPE = 256  # own: of one that is remembered; all of them are one item
UPLOAD_FIELDS = 1 * MIB  # own: what an upload form may hold in front of its file
UPLOAD_LINK = 5 * GIB  # AWS: an object that is written by one request, as by a link
UPLOAD_LIFE = 21_600  # own: seconds that an upload through the API may take
UPLOAD_MARGIN = 300  # own: seconds beyond a link's end: a transfer that began in time may still be running
UPLOAD_VERIFICATION = 86_400  # own: seconds that a complete direct upload may wait to be verified

# Deployments
DEPLOYMENT_NAME = 256  # Mender
DEPLOYMENT_DEVICES = 20_000  # own: devices that a new deployment lists; groups, filters and all devices have no bound
OPEN_DEPLOYMENTS = 1000  # own: unfinished at once for many devices (hosted Mender: 800); in the control item
HEAD_DEPLOYMENT_TARGETS = 5  # own: up to here a deployment waits on the devices' own head items
HEAD_QUEUE = 16  # own: deployments that may wait on one head item (a head stays below 4 KB)
FILTER_TARGETS = 20  # own: up to here a deployment shows its listed devices in its filter
INLINE_TARGETS = 400  # own: up to here the target list is in the deployment's item, beyond it in the bucket
COUNTER_SHARD_DEVICES = 2000  # own: devices that share one counter item
COUNTER_SHARDS = 16  # own: most counter items of a deployment (abort closes all in one transaction)
PROVIDES = 200  # own: members of what a device says at its poll
SUBSTATE = 200  # Mender
DEPLOYMENT_LOG = 1 * MIB  # Mender: as the body limit
RETRIES_MAX = 100  # own
MAX_DEVICES = 10**9  # own: no fleet is larger
VERDICTS = 200  # own: open dynamic deployments of which a head remembers whether they take the device
PHASES = 100  # own: of a deployment; each has a number in every counter item
STATISTICS_LIST = 100  # Mender: deployments in one statistics/list call
DEVICE_HISTORY_PER_PAGE = 20  # Mender

# Audit logs
AUDIT_CHANGE = 16 * KIB  # own: characters of what an entry says about a change; more is cut off
AUDIT_PER_PAGE = 10  # Mender: rows of a page of the log where nothing else is asked for
AUDIT_EXPORT = 5 * MIB  # own: an exported file, which is one answer of a Lambda function
# Device configuration
CONFIGURATION_KEYS = 100  # Mender
CONFIGURATION_TEXT = 4096  # Mender: characters of a key, and of a value
CONFIGURATION = 128 * KIB  # own: what is wanted and what is reported share one item of DynamoDB's 400 KB

# Integrations
INTEGRATIONS = 10  # own: of a tenant; an event is written once for each that wants it
INTEGRATION_DESCRIPTION = 1024  # Mender
INTEGRATION_SECRET = 256  # own: hexadecimal digits
EVENT_LIFE = 604_800  # Mender: seconds that an event is listed
DELIVERY_LIFE = 86_400  # own: seconds after which an event that was not taken is given up

# Device monitor
ALERTS = 128  # Mender: in one report
ALERT_LINES = 1024  # Mender: lines of a log before, and after, the one that matters
ALERT_NAME = 1024  # own: characters of names, types and statuses
ALERT = 256 * KIB  # own: an alert is one item of DynamoDB's 400 KB
ALERTS_KEPT = 1000  # own: of one device; beyond it the oldest go, but never the newest of a subject
ALERT_SUBJECTS = 128  # own: whose levels are known of one device; beyond it the oldest is forgotten
ALERTS_WRITTEN = 90  # own: alerts in one of the up to two transactions of a report (AWS: 100 writes in each)
CHECKS = 128  # Mender
CHECKS_SIZE = 256 * KIB  # own: what a device watches is one item
ALERT_MAILS = 5  # own: mails about one device in an hour; what changes after that is told at its end, in one mail
ALERT_DIGEST = 50  # own: alerts that such a mail lists, the newest ones
ALERT_DIGEST_TEXT = 200  # own: characters of a name in it
ALERT_MAIL_TEXT = 1000  # own: characters of a description in a mail

# Users and tenants
EMAIL = 256  # Mender
PASSWORD_MIN = 8  # Mender, characters
PASSWORD_MAX = 256  # Mender
SESSIONS_PER_USER = 10  # Mender: the oldest is dropped
TOKENS_PER_USER = 10  # Mender: personal access tokens
TOKEN_LIFE_MAX = 31_536_000  # Mender: seconds
TOKEN_USED_ACCURACY = 300  # Mender: seconds between two notes of a personal access token's use
RECENT_SIGN_IN = 900  # own: seconds after a sign-in in which its session may change credentials
SETTINGS_MEMBERS = 1024  # Mender
SETTINGS_KEY = 128  # Mender
SETTINGS_TEXT = 4096  # Mender
SETTINGS_DOCUMENT = 256 * KIB  # own: settings are one item
TOKEN_NAME = 256  # own: characters
RESET_LIFE = 3_600  # own: seconds in which a mailed link sets a new password
VERIFICATION_LIFE = 86_400  # own: seconds in which a mailed link proves an address
SSO_PROVIDERS = 10  # own: identity providers of a tenant
SSO_DOMAINS = 50  # own: domains of addresses that a provider is trusted with
SSO_TEXT = 2048  # own: characters of a provider's URL, client id or secret
SSO_SUBJECT = 255  # OpenID Connect: characters of who somebody is for a provider
SSO_LOGIN_LIFE = 600  # own: seconds that a login at a provider may take
ASSIGNED_TENANTS = 100  # own: tenants beyond their own that a user may work in
PROVIDER_TIME = 7  # own: seconds for a call of an identity provider; a login makes three, in API Gateway's 29
PROVIDER_ANSWER = 256 * KIB  # own: what is read of an answer of an identity provider
TENANT_NAME = 256  # own: characters
AUDIT_DAYS_MAX = 3650  # own: days that a tenant may have audit entries kept
DEVICE_TIMEOUT_MAX = 31_536_000  # own: seconds; a device that is silent for longer than a year is no update's concern
ORGANIZATION = 100  # Mender: characters of a name at sign-up
TENANT_TEXT = 4096  # own: characters of a reason or a message about a tenant
TENANTS_PER_PAGE = 10  # Mender
TENANT_CHILDREN = 1000  # own: of one service provider
DEVICES_LIMIT_MAX = 1_000_000_000  # own: a larger number of devices is a slip
STORAGE_LIMIT_MAX = 10**15  # own: 1 PB; a larger number of bytes is a slip

# Remote access
CONNECT_MESSAGE = 95 * KIB  # own: an envelope; in base64, numbered and with wide numbers, it fits CONNECT_TEXT
CONNECT_DEVICE_BODY = 4096  # mender-connect: closes beyond 8,192 bytes a message; longer streams are cut to this
CONNECT_JOINED = 16 * KIB  # own: terminal output that a relay sends on in one message; one frame in base64
CONNECT_PROPS = 32  # own: properties of an envelope
CONNECT_DEPTH = 4  # own: nesting of properties
CONNECT_WAITING = 256  # own: messages that may wait for one that was overtaken
CONNECT_LIFE = 7_200  # AWS: seconds that a websocket of API Gateway lives
CONNECT_IDLE = 600  # AWS: seconds without a message until it is closed
CONNECT_FRAME = 32 * KIB  # AWS: a websocket frame
CONNECT_TEXT = 128 * KIB  # AWS: a websocket message
RECORDING = 8 * MIB  # Mender: of one session
RECORDING_LIFE = 2_592_000  # Mender: seconds that a recording is kept (30 days)
FILE_UPLOAD = 1 * GIB  # Mender: a file to a device
FILE_PATH = 4096  # own: bytes of a path on a device, as many as Linux takes
FILE_STEP = 60  # Mender: seconds that a device may take for one step of a file transfer
# Roles and permission sets
ROLES = 100  # own: of a tenant, beside the built-in ones; all are read together
PERMISSION_SETS = 100  # own: the same
ROLES_PER_USER = 20  # own: they are checked in the transaction that gives them
ROLE_NAME = 256  # own: characters
ROLE_DESCRIPTION = 1024  # own: characters
ROLE_PARTS = 60  # own: permissions and permission sets of a role; a transaction holds to all its sets
ROLE_PATH = 1024  # own: characters of a path in a permission
ROLE_RECORD = 32 * KIB  # own: a role or a permission set, as JSON
SCOPE_NAMES = 100  # own: groups or tags that a permission set of a role ends at
