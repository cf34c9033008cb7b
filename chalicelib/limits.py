"""All limits of the server: name, value, and source.

"Mender" marks a limit of Mender's server, on which clients and scripts may rely. "AWS" marks one of the platform. "own"
marks one that keeps a request, an item or a transaction small. Sizes are in bytes unless the name says otherwise.

``docs/limits.md`` is generated from the comments, which must be on the line of the limit.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# HTTP
BODY = 1 * MIB  # Mender: request body
LAMBDA_PAYLOAD = 6 * MIB  # AWS: request and response of a Lambda function, including base64
BALANCER_PAYLOAD = 1 * MIB  # AWS: request and response behind a load balancer
PER_PAGE_DEFAULT = 20  # Mender: rows of a page
PER_PAGE_MAX = 500  # Mender: rows of a page at most
QUERY_VALUES = 500  # own: values of one repeated query parameter; more UUIDs do not fit into a URL anyway
JSON_DEPTH = 64  # own: nesting of JSON documents, checked before they are processed
ETAGS = 50  # own: entity tags in one If-Match
REQUEST_ID = 128  # own: characters of X-MEN-RequestID, which appears in every log line; a longer one is replaced

# Calls to servers that a tenant names
OUTBOUND_TIME = 10  # Mender: seconds for a whole call
OUTBOUND_ANSWER = 1 * MIB  # own: bytes read of an answer
OUTBOUND_FRAMING = 256 * KIB  # own: additional bytes of an answer for its header and the sizes of chunks

# Callers without an account
NEW_DEVICES = 1000  # own: new devices of a tenant from one network in an hour; set by LAMPLIGHTER_NEW_DEVICES
PENDING_DEVICES = 10_000  # own: pending devices of a tenant; set by LAMPLIGHTER_PENDING_DEVICES or pending_devices
PENDING_DEVICES_MAX = 1_000_000  # own: the largest value of the setting pending_devices
PENDING_LOOKED_AT = 100  # own: pending devices that are checked to find the oldest silent one
PENDING_FIRST_SEEN = 600  # own: seconds after which it is recorded that a pending device asked again
PENDING_UNSEEN = 3_600  # own: seconds after which a pending device that never asked again may be replaced
PENDING_SEEN_ACCURACY = 86_400  # own: seconds between two records that a pending device asked again
PENDING_LOST = 172_800  # own: seconds without such a record after which a pending device may be replaced
SIGNUPS = 5  # own: sign-ups from one network in an hour
SIGNUPS_IN_ALL = 200  # own: sign-ups from all networks in an hour
MAILS_PER_ADDRESS = 5  # own: account mails to one address requested by one network in MAILS_WINDOW seconds
MAILS_TO_ADDRESS = 20  # own: account mails of one kind to one address in MAILS_WINDOW seconds, from all networks
MAILS_WINDOW = 3_600  # own: seconds
MAILS_PER_NETWORK = 200  # own: account mails to any addresses requested by one network in an hour
LOGIN_FAILURES_PER_NETWORK = 1000  # own: failed logins for any accounts from one network in an hour
SSO_LOGINS_PER_NETWORK = 300  # own: logins started at a tenant's identity providers from one network in an hour
SSO_LOGINS = 3000  # own: the same from all networks

# Device authentication
ID_DATA = 16 * KIB  # own: identity data; keeps a device's item well below DynamoDB's 400 KB
PUBKEY = 8 * KIB  # own: a public key in PEM; RSA with 16,384 bits takes 2.8 KB
AUTH_SETS_PER_DEVICE = 20  # own: auth sets of a device, which are kept until an operator decides
DEVICE_IDS = 1000  # own: ids in one search for devices; twice the largest page
TEST_DEVICES = 10  # Mender: test devices of a tenant
FLAG_CHANGES = 20  # Mender: changes of test devices of a tenant in a day

# Acceptance rules
ACCEPTANCE_RULES = 20  # own: acceptance rules of a tenant, which are one item
ACCEPTANCE_RULES_SIZE = 256 * KIB  # own: all acceptance rules of a tenant; DynamoDB's limit is 400 KB
ACCEPTANCE_NAME = 256  # own: characters of the name of an acceptance rule
ACCEPTANCE_PATTERNS = 10  # own: attributes of identity data that an acceptance rule has patterns for
ACCEPTANCE_PATTERN = 256  # own: characters of a pattern, of the attribute's name, and of a value that can match
ACCEPTANCE_CERTIFICATES = 10  # own: CA certificates of an acceptance rule
ACCEPTANCE_CERTIFICATE = 8 * KIB  # own: a CA certificate in PEM
ACCEPTANCE_CHAIN = 4  # own: certificates in identity data: that of the device, and of CAs in between
ACCEPTANCE_PER_DAY = 1_000_000  # own: the largest daily limit of an acceptance rule
ACCEPTANCE_SPREAD = 1000  # own: daily limit from which a rule counts in 32 items instead of one
ACCEPTANCE_PAUSE = 60  # own: seconds without acceptance by rules in a process that has met the limit of devices
IDENTITIES = 1_000_000  # own: preregistered identities of a tenant
IDENTITIES_AT_ONCE = 5000  # own: identities that one call preregisters, or deletes
PREVIEW_DEVICES = 10_000  # own: pending devices that the preview of an acceptance rule checks

# Inventory
INVENTORY_ATTRIBUTES = 100  # Mender: attributes of a device in the scope inventory
TAGS = 20  # Mender: tags of a device
ATTRIBUTE_NAME = 1024  # Mender: characters of the name of an attribute
ATTRIBUTE_VALUE = 64 * KIB  # own: value of an attribute
INVENTORY_ITEM = 300 * KIB  # own: all attributes of a device; DynamoDB's limit is 400 KB
GROUP_NAME = 256  # Mender: characters of the name of a group
GROUP_DEVICES = 5000  # own: devices that one call adds to a group or removes from it
SEARCH_TEXT = 255  # own: characters of the text of a search
SEARCH_TERMS = 10  # own: terms of the text of a search, each of which is looked for in all values
SEARCH_SORT = 20  # own: attributes to sort by
SNAPSHOT_CHANGES = 20  # own: changed devices, or 1 % of all devices, below which no new snapshot is built
SNAPSHOT_STEP = 10_000  # own: changed devices that one build handles, and that a search reads individually at most
SNAPSHOT_TENANTS = 100  # own: tenants whose snapshots a process caches
FILTERS = 500  # own: saved filters of a tenant
FILTER_NAME = 256  # own: characters of the name of a saved filter
FILTER_TERMS = 100  # own: conditions of a filter or a search
FILTER_SIZE = 16 * KIB  # own: all conditions of a saved filter; dynamic deployments contain a copy

# Artifacts and releases
ARTIFACT_UPLOAD = 10 * GIB  # Mender: an artifact
GENERATED_FILE = 256 * MIB  # Mender: the form for a generated artifact
ARTIFACT_DESCRIPTION = 4096  # Mender: characters of a description
ARTIFACT_NAME = 4096  # Mender: characters of the name of an artifact in a deployment
ARTIFACT_RECORD = 300 * KIB  # own: the stored description of an artifact, which is one item, and of a release
ARTIFACT_VALUES = 1000  # own: values of one list in a header: device types, a dependency, cleared provides
ARTIFACTS_PER_RELEASE = 100  # own: artifacts of a release, which is one item
ARTIFACT_NAMES_QUERY = 100  # Mender: names in a filter of v2 lists
TRUSTED_KEYS = 20  # own: a tenant's trusted keys, each of which is tried with the signature of an upload
TRUSTED_KEY = 4 * KIB  # own: a trusted key in PEM; RSA with 8,192 bits takes 1.4 KB
TRUSTED_KEY_NAME = 100  # own: characters of the name of a trusted key
RELEASE_NOTES = 1024  # Mender: characters of release notes
RELEASE_TAGS = 20  # Mender: tags of a release
RELEASE_TAG = 1024  # Mender: characters of a tag
RELEASE_TAGS_TOTAL = 100  # Mender: distinct tags of a tenant
UPDATE_TYPES = 1000  # own: payload types that are remembered for a tenant
UPDATE_TYPE = 256  # own: characters of a remembered payload type; all of them are one item
UPLOAD_FIELDS = 1 * MIB  # own: the fields of an upload form before its file
UPLOAD_LINK = 5 * GIB  # AWS: an object that is written by one request, as through a link
UPLOAD_LIFE = 21_600  # own: seconds that an upload through the API may take
UPLOAD_PART_MIN = 5 * MIB  # AWS: a part of a direct upload, except for its last one
UPLOAD_PARTS = 10_000  # AWS: parts of a direct upload
UPLOAD_PARTS_LIFE = 7 * 86_400  # own: seconds that a direct upload in parts may take, with all its pauses
UPLOAD_MARGIN = 300  # own: seconds after a link's end for transfers that began in time
UPLOAD_VERIFICATION = 86_400  # own: seconds that a completed direct upload may wait for verification

# Deployments
DEPLOYMENT_NAME = 256  # Mender: characters of the name of a deployment
DEPLOYMENT_DEVICES = 20_000  # own: devices listed in a new deployment; groups, filters and all devices have no limit
OPEN_DEPLOYMENTS = 1000  # own: unfinished deployments to several devices (hosted Mender: 800)
HEAD_DEPLOYMENT_TARGETS = 5  # own: targets up to which a deployment waits in the devices' own heads
HEAD_QUEUE = 16  # own: deployments that wait in one head, which stays below 4 KB
FILTER_TARGETS = 20  # own: listed devices up to which a deployment shows them in its filter
INLINE_TARGETS = 400  # own: targets up to which they are stored in an item, beyond that in the bucket
COUNTER_SHARD_DEVICES = 2000  # own: devices per counter item
COUNTER_SHARDS = 16  # own: counter items of a deployment, all of which an abort closes in one transaction
UNDIVIDED_DEVICES = 20_000  # own: devices up to which a deployment of a large tenant is not divided into parts
DEPLOYMENT_PARTS = 256  # own: parts of a larger one, each with partition keys and a counter item of its own
VERSION = 256  # own: characters of a version; a longer text is not compared with others
PROVIDES = 200  # own: members of what a device provides in a poll
SUBSTATE = 200  # Mender: characters of a substate
FAILURE_REASON = 200  # own: characters of the first error of a log that are stored
OUTCOMES = 1000  # own: failed devices, and as many updated ones, that outcomes of a deployment are counted from
REPORT_DEVICES = 20_000  # own: devices of a deployment that its report is made from; of more, a random sample
REPORT_POINTS = 100  # own: points in the course of a deployment in its report
REPORT_PARTS = 100  # own: artifacts, device types and reasons in a report, the most frequent ones
EXPORT_DEVICES = 5000  # own: devices of a deployment in one answer of an export
DEPLOYMENT_LOG = 1 * MIB  # Mender: a deployment log, as the request body
DEPLOYMENT_RETRIES = 20  # own: deployments that retry the failed devices of one deployment, which lists them
RETRIES_MAX = 100  # own: retries of a deployment
MAX_DEVICES = 10**9  # own: devices of a dynamic deployment; no fleet is larger
FILTER_MATCHES = 200  # own: open dynamic deployments of which a head stores that their filters match
PHASES = 100  # own: phases of a deployment, each with a number in every counter item
ROLLOUT_WINDOWS = 14  # own: windows of a rollout
ROLLOUT_RATE = 60_000  # own: devices that may begin in a minute; more is no limit for a fleet of a million
ROLLOUT_RATE_ITEMS = 64  # own: items that count these devices, 16 a second each, so that transactions seldom meet
ROLLOUT_DAYS = 30  # own: days that a phase may be watched before the next one opens
ZONE_NAME = 64  # own: characters of the name of a time zone (the longest IANA name has 32)
RETRY_AFTER = 86_400  # own: seconds after which a device that waits for a window asks again at the latest
EXPLAINED = 1000  # own: deployments that are explained for a device although polls do not see them yet
APPROVAL_COMMENT = 1000  # own: characters of the comment of a decision about a deployment
APPROVAL_GROUPS = 100  # own: groups whose deployments a second person approves
APPROVAL_HOURS_MAX = 720  # own: hours that a deployment may wait for approval
APPROVAL_LOOKUPS = 1_000  # own: devices of a new deployment whose groups are looked up, 100 in a round trip
PAUSE_REASON = 256  # own: characters of the reason that a user gives for a pause
STOP_DEVICES = 20  # own: failed devices that the reason of a stop lists
PREVIEW_DEVICES = 20_000  # own: devices whose inventory a preview reads; of more, a random sample
PREVIEW_HEADS = 1000  # own: accepted devices up to which a preview finds out which of them wait for other deployments
PREVIEW_EXAMPLES = 3  # own: devices that a preview names of each group
PREVIEW_WINDOWS = 3  # own: next windows that a preview lists
PREVIEW_REASONS = 50  # own: reasons that a preview lists of each group
PREVIEW_SILENT_DAYS = 365  # own: days without a check-in after which a device counts as silent, at most
PREVIEW_INTERVAL_MIN = 5  # own: seconds between two polls of a device that a preview assumes, at least
PREVIEW_INTERVAL = 31_536_000  # own: seconds between two polls, and of an update, that a preview assumes, at most
STATISTICS_LIST = 100  # Mender: deployments in one call of statistics/list
UPCOMING = 20  # own: next deployments of a device that are listed
DEVICE_HISTORY_PER_PAGE = 20  # Mender: rows of a page of a device's deployments

# Audit logs
AUDIT_CHANGE = 16 * KIB  # own: characters of the change in an audit entry; more is cut off
AUDIT_PER_PAGE = 10  # Mender: rows of a page of the audit log by default
AUDIT_EXPORT = 5 * MIB  # own: an exported file, which is one answer of a Lambda function
AUDIT_CHECKED = 5000  # own: entries of a log that one call of the API checks; `manage audit verify` checks any
AUDIT_FINDINGS = 100  # own: lines of what such a check finds
# Device configuration
CONFIGURATION_KEYS = 100  # Mender: entries of a configuration
CONFIGURATION_TEXT = 4096  # Mender: characters of a key, and of a value
CONFIGURATION = 128 * KIB  # own: a configuration; configured and reported ones share an item of DynamoDB's 400 KB

# Integrations
INTEGRATIONS = 10  # own: integrations of a tenant; each event is stored once for each that receives it
INTEGRATION_DESCRIPTION = 1024  # Mender: characters of a description
INTEGRATION_SECRET = 256  # own: hexadecimal digits of a secret
EVENT_LIFE = 604_800  # Mender: seconds for which an event is listed
DELIVERY_LIFE = 86_400  # own: seconds after which an undelivered event is given up

# Device monitor
ALERTS = 128  # Mender: alerts in one report
ALERT_LINES = 1024  # Mender: log lines before, and after, the matching one
ALERT_NAME = 1024  # own: characters of names, types and statuses
ALERT = 256 * KIB  # own: an alert, which is one item of DynamoDB's 400 KB
ALERTS_KEPT = 1000  # own: stored alerts of a device; the oldest are replaced, but never the newest of a subject
ALERT_SUBJECTS = 128  # own: subjects of a device; beyond that the oldest is dropped
ALERTS_WRITTEN = 90  # own: alerts in each of the up to two transactions of a report (AWS: 100 writes each)
CHECKS = 128  # Mender: checks of a device
CHECKS_SIZE = 256 * KIB  # own: all checks of a device, which are one item
ALERT_MAILS = 5  # own: mails about a device in an hour; later changes are sent in one mail at its end
ALERT_DIGEST = 50  # own: alerts listed in such a mail, the newest ones
ALERT_DIGEST_TEXT = 200  # own: characters of a name in such a mail
ALERT_MAIL_TEXT = 1000  # own: characters of a description in a mail

# Users and tenants
EMAIL = 256  # Mender: characters of an address
PASSWORD_MIN = 8  # Mender: characters of a password, at least
PASSWORD_MAX = 256  # Mender: characters of a password
SESSIONS_PER_USER = 10  # Mender: sessions of a user; the oldest is ended
TOKENS_PER_USER = 10  # Mender: personal access tokens of a user
TOKEN_LIFE_MAX = 31_536_000  # Mender: seconds for which a personal access token is valid
TOKEN_USED_ACCURACY = 300  # Mender: seconds between two records of a personal access token's use
RECENT_SIGN_IN = 900  # own: seconds after a sign-in for which a session may change credentials
SETTINGS_MEMBERS = 1024  # Mender: members of settings
SETTINGS_KEY = 128  # Mender: characters of a name in settings
SETTINGS_TEXT = 4096  # Mender: characters of a value in settings
SETTINGS_DOCUMENT = 256 * KIB  # own: settings, which are one item
TOKEN_NAME = 256  # own: characters of the name of a personal access token
RESET_LIFE = 3_600  # own: seconds for which a mailed link can set a new password
INVITATION_LIFE = 604_800  # own: seconds for which the mailed link of an invitation can set the first password
VERIFICATION_LIFE = 86_400  # own: seconds for which a mailed link can verify an address
SSO_PROVIDERS = 10  # own: identity providers of a tenant
SSO_DOMAINS = 50  # own: domains of an identity provider
SSO_TEXT = 2048  # own: characters of an identity provider's URL, client id or secret
SSO_SUBJECT = 255  # OpenID Connect: characters of a subject identifier
SSO_LOGIN_LIFE = 600  # own: seconds that a login at an identity provider may take
ASSIGNED_TENANTS = 100  # own: other tenants in which a user may work
PROVIDER_TIME = 7  # own: seconds for a call to an identity provider; a login makes three, within API Gateway's 29
PROVIDER_ANSWER = 256 * KIB  # own: bytes read of an answer of an identity provider
TENANT_NAME = 256  # own: characters of the name of a tenant
AUDIT_DAYS_MAX = 3650  # own: days for which a tenant can have audit entries kept
DEVICE_TIMEOUT_MAX = 31_536_000  # own: seconds of the setting device_timeout (one year)
ORGANIZATION = 100  # Mender: characters of the name of an organization at sign-up
TENANT_TEXT = 4096  # own: characters of a reason or a message about a tenant
TENANTS_PER_PAGE = 10  # Mender: rows of a page of tenants by default
TENANT_CHILDREN = 1000  # own: child tenants of a service provider
DEVICES_LIMIT_MAX = 1_000_000_000  # own: the largest limit of devices; a larger one is a mistake
STORAGE_LIMIT_MAX = 10**15  # own: the largest limit of storage (1 PB); a larger one is a mistake

# Remote access
CONNECT_MESSAGE = 95 * KIB  # own: an envelope; in base64, numbered and with wide integers, it fits into CONNECT_TEXT
CONNECT_DEVICE_BODY = 4096  # mender-connect: body of a message to a device, which closes beyond 8,192 bytes a message
CONNECT_JOINED = 16 * KIB  # own: terminal output that a relay joins into one message; one frame in base64
CONNECT_PROPS = 32  # own: properties of an envelope
CONNECT_DEPTH = 4  # own: nesting of properties
CONNECT_WAITING = 256  # own: messages that may wait for one that was overtaken
CONNECT_LIFE = 7_200  # AWS: seconds that a websocket of API Gateway may last
CONNECT_IDLE = 600  # AWS: seconds without a message after which it is closed
TICKET_LIFE = 60  # own: seconds until a browser must have opened its websocket to a device
CONNECT_FRAME = 32 * KIB  # AWS: a websocket frame
CONNECT_TEXT = 128 * KIB  # AWS: a websocket message
RECORDING = 8 * MIB  # Mender: the recording of a session
RECORDING_LIFE = 2_592_000  # Mender: seconds for which a recording is kept (30 days)
FILE_UPLOAD = 1 * GIB  # Mender: a file for a device
FILE_PATH = 4096  # own: bytes of a path on a device, Linux's limit
FILE_STEP = 60  # Mender: seconds that a device may take for one step of a file transfer
# Roles and permission sets
ROLES = 100  # own: a tenant's own roles, which are all read together
PERMISSION_SETS = 100  # own: a tenant's own permission sets, which are all read together
ROLES_PER_USER = 20  # own: roles of a user, which are checked in one transaction
ROLE_NAME = 256  # own: characters of a name
ROLE_DESCRIPTION = 1024  # own: characters of a description
ROLE_PARTS = 60  # own: permissions and permission sets of a role, all of which are conditions of one transaction
ROLE_PATH = 1024  # own: characters of a path in a permission
ROLE_RECORD = 32 * KIB  # own: a role or a permission set, as JSON
SCOPE_NAMES = 100  # own: groups or tags in a scope

# Estimates of cost
COST_DEVICES = 100_000_000  # own: devices of a fleet, and connected ones among them
COST_INTERVAL_MIN = 5  # own: seconds between two polls or reports of a device, at least
COST_INTERVAL = 31_536_000  # own: seconds between two polls or reports of a device, at most (a year)
COST_UPDATES = 1000  # own: updates of a device in a month
COST_ARTIFACT = 1_000_000  # own: MB of an artifact
