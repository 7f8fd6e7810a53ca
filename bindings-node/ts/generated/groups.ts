// Generated from the library's description by `BLESS=1 cargo test -p openwa-node`. Do not edit.
import { authorizeSync } from '../authorize.js'
import { bool, bytes, float, int, json, list, same, text, time } from '../codec.js'
import type { OpenWAError } from '../error.js'
import { Group, type Page } from '../group.js'
import type { Handle } from '../native.js'
import { callPure, query, verb, type LongOptions } from '../runtime.js'
import { readApiKey, readApiKeyLog, readAuditLog, readAuthValue, readAuthorization, readBackup, readBackupPrune, readBackupReport, readBackupVerify, readBatchJob, readBatchJobMessage, readBegin, readChat, readCheckReport, readContact, readCreatedKey, readExportReport, readIdentity, readImportReport, readIndexInfo, readIngested, readIpWhitelistEntry, readLogBuffer, readMaintenanceJob, readMaintenanceRun, readMessage, readMessageReaction, readMigrateReport, readMovedIn, readOpenwaExportReport, readOverview, readPartitionInfo, readRepairReport, readRestoreReport, readRetentionReport, readRetentionStatus, readSaveResult, readSaved, readSecretsStatus, readSession, readSessionAuth, readSessionLog, readStatus, readTakeoverReport, readTransition, readVacuumReport, readWebhook, readWebhookLog, writeApiKeyUpdate, writeAsk, writeAuditFilter, writeAuthEntry, writeBackupOptions, writeBackupRepo, writeBatchResult, writeContactChange, writeContactFilter, writeExportOptions, writeImportOptions, writeKeepRules, writeKeyRules, writeMaintenanceOptions, writeMessageFilter, writeMigrateOptions, writeNewApiKey, writeNewApiKeyLog, writeNewAuditLog, writeNewBatch, writeNewDelivery, writeNewMessage, writeNewSession, writeNewWebhook, writeNewWhitelistEntry, writeOpenOptions, writeOverviewOptions, writePageRequest, writeRepairOptions, writeRestoreOptions, writeRetentionOptions, writeRetryPolicy, writeSessionFilter, writeSessionUpdate, writeTakeoverOptions, writeVacuumOptions, writeVerifyOptions, writeWebhookUpdate } from './codec.js'
import type * as t from './types.js'

/* eslint-disable @typescript-eslint/no-explicit-any */

const storeIngest = verb<t.Ingested>('store.ingest', [['engine', text], ['session', text], ['event', json], ['at', time]], (v: any) => readIngested(v))
const storeStatus = verb<t.Status>('store.status', [], (v: any) => readStatus(v))
const storeOverview = verb<t.Overview>('store.overview', [['options', writeOverviewOptions]], (v: any) => readOverview(v))
const storeCheck = verb<t.CheckReport>('store.check', [], (v: any) => readCheckReport(v))
const storeRepair = verb<t.RepairReport>('store.repair', [['options', writeRepairOptions]], (v: any) => readRepairReport(v))
const storeVacuum = verb<t.VacuumReport>('store.vacuum', [['options', writeVacuumOptions]], (v: any) => readVacuumReport(v))
const storeExportFile = verb<t.ExportReport>('store.export_file', [['path', text], ['options', writeExportOptions]], (v: any) => readExportReport(v))
const storeImportFile = verb<t.ImportReport>('store.import_file', [['path', text], ['options', writeImportOptions]], (v: any) => readImportReport(v))
const storeBackup = verb<t.BackupReport>('store.backup', [['options', writeBackupOptions]], (v: any) => readBackupReport(v))
const storeBackups = verb<t.Backup[]>('store.backups', [['repo', writeBackupRepo]], (v: any) => v.map((v: any) => readBackup(v)))
const storeVerifyBackups = verb<t.BackupVerify>('store.verify_backups', [['options', writeVerifyOptions]], (v: any) => readBackupVerify(v))
const storePruneBackups = verb<t.BackupPrune>('store.prune_backups', [['repo', writeBackupRepo], ['keep', writeKeepRules]], (v: any) => readBackupPrune(v))
const storeRestoreBackup = verb<t.RestoreReport>('store.restore_backup', [['target', writeOpenOptions], ['options', writeRestoreOptions]], (v: any) => readRestoreReport(v))
const storeSecretsStatus = verb<t.SecretsStatus>('store.secrets_status', [], (v: any) => readSecretsStatus(v))
const storeSealSecrets = verb<number>('store.seal_secrets', [], same)
const storeUnsealSecrets = verb<number>('store.unseal_secrets', [], same)
const storeRotateStoreKey = verb<number>('store.rotate_store_key', [['newKey', text], ['retire', bool]], same)
const storeForgetSecrets = verb<number>('store.forget_secrets', [], same)
const storeIndexes = verb<t.IndexInfo[]>('store.indexes', [], (v: any) => v.map((v: any) => readIndexInfo(v)))
const storePartitions = verb<t.PartitionInfo[]>('store.partitions', [], (v: any) => v.map((v: any) => readPartitionInfo(v)))
const storeMakePartitions = verb<number>('store.make_partitions', [], same)
const storeReindex = verb<number>('store.reindex', [['table', text]], same)
const storeMigrateTo = verb<t.MigrateReport>('store.migrate_to', [['data', text], ['options', writeMigrateOptions]], (v: any) => readMigrateReport(v))
const storeTakeover = verb<t.TakeoverReport>('store.takeover', [['sources', list(text)], ['options', writeTakeoverOptions]], (v: any) => readTakeoverReport(v))
const storeExportOpenwaFile = verb<t.OpenwaExportReport>('store.export_openwa_file', [['path', text]], (v: any) => readOpenwaExportReport(v))
const storeRetentionPreview = verb<t.RetentionReport>('store.retention_preview', [['options', writeRetentionOptions]], (v: any) => readRetentionReport(v))
const storeRunRetention = verb<t.RetentionReport>('store.run_retention', [['options', writeRetentionOptions]], (v: any) => readRetentionReport(v))
const storeRetentionStatus = verb<t.RetentionStatus>('store.retention_status', [['options', writeRetentionOptions]], (v: any) => readRetentionStatus(v))
const storeAcceptRetention = verb<t.MovedIn[]>('store.accept_retention', [], (v: any) => v.map((v: any) => readMovedIn(v)))
const storeStartMaintenance = verb<void>('store.start_maintenance', [['options', writeMaintenanceOptions]], same)
const storeStopMaintenance = verb<void>('store.stop_maintenance', [], same)
const storeRunMaintenance = verb<t.MaintenanceRun[]>('store.run_maintenance', [['options', writeMaintenanceOptions], ['job', text]], (v: any) => v.map((v: any) => readMaintenanceRun(v)))
const storeMaintenance = verb<t.MaintenanceJob[]>('store.maintenance', [], (v: any) => v.map((v: any) => readMaintenanceJob(v)))
const storeFlushLogs = verb<void>('store.flush_logs', [], same)
const storeLogBuffer = verb<t.LogBuffer>('store.log_buffer', [], (v: any) => readLogBuffer(v))
const sessionsCreate = verb<t.Session>('sessions.create', [['session', writeNewSession]], (v: any) => readSession(v))
const sessionsGet = verb<t.Session>('sessions.get', [['id', text]], (v: any) => readSession(v))
const sessionsFind = verb<t.Session | null>('sessions.find', [['name', text]], (v: any) => (v === null ? null : readSession(v)))
const sessionsList = query<Page<t.Session>>('sessions.list', [['filter', writeSessionFilter], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readSession), next: v[1] }))
const sessionsUpdate = verb<t.Session>('sessions.update', [['id', text], ['update', writeSessionUpdate]], (v: any) => readSession(v))
const sessionsTransition = verb<t.Transition>('sessions.transition', [['id', text], ['to', text], ['reason', text]], (v: any) => readTransition(v))
const sessionsRestore = verb<t.Session[]>('sessions.restore', [], (v: any) => v.map((v: any) => readSession(v)))
const sessionsRecreate = verb<t.Session>('sessions.recreate', [['id', text]], (v: any) => readSession(v))
const sessionsDelete = verb<boolean>('sessions.delete', [['id', text]], same)
const sessionsLog = verb<t.SessionLog>('sessions.log', [['id', text], ['event', text], ['data', json]], (v: any) => readSessionLog(v))
const sessionsLogs = query<Page<t.SessionLog>>('sessions.logs', [['id', text], ['event', text], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readSessionLog), next: v[1] }))
const messagesSave = verb<t.Saved>('messages.save', [['session', text], ['message', writeNewMessage]], (v: any) => readSaved(v))
const messagesSaveMany = verb<t.SaveResult[]>('messages.save_many', [['session', text], ['messages', list(writeNewMessage)]], (v: any) => v.map((v: any) => readSaveResult(v)))
const messagesBackfill = verb<t.SaveResult[]>('messages.backfill', [['session', text], ['messages', list(writeNewMessage)]], (v: any) => v.map((v: any) => readSaveResult(v)))
const messagesAck = verb<t.Changed>('messages.ack', [['session', text], ['waMessageId', text], ['ack', int]], same)
const messagesEdit = verb<t.Changed>('messages.edit', [['session', text], ['waMessageId', text], ['body', text], ['at', time]], same)
const messagesRevoke = verb<t.Changed>('messages.revoke', [['session', text], ['waMessageId', text], ['at', time]], same)
const messagesReact = verb<t.Changed>('messages.react', [['session', text], ['waMessageId', text], ['sender', text], ['emoji', text], ['at', time]], same)
const messagesGet = verb<t.Message | null>('messages.get', [['id', text]], (v: any) => (v === null ? null : readMessage(v)))
const messagesFind = verb<t.Message | null>('messages.find', [['session', text], ['waMessageId', text]], (v: any) => (v === null ? null : readMessage(v)))
const messagesList = query<Page<t.Message>>('messages.list', [['session', text], ['filter', writeMessageFilter], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readMessage), next: v[1] }))
const messagesCount = query<number>('messages.count', [['session', text], ['filter', writeMessageFilter]], same)
const messagesChats = query<Page<t.Chat>>('messages.chats', [['session', text], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readChat), next: v[1] }))
const messagesReactions = verb<t.MessageReaction[]>('messages.reactions', [['session', text], ['waMessageId', text]], (v: any) => v.map((v: any) => readMessageReaction(v)))
const messagesWaiting = verb<number>('messages.waiting', [['session', text], ['kind', text]], same)
const contactsUpsert = verb<t.Contact>('contacts.upsert', [['session', text], ['contact', writeContactChange]], (v: any) => readContact(v))
const contactsGet = verb<t.Contact | null>('contacts.get', [['session', text], ['address', text]], (v: any) => (v === null ? null : readContact(v)))
const contactsList = query<Page<t.Contact>>('contacts.list', [['session', text], ['filter', writeContactFilter], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readContact), next: v[1] }))
const contactsDelete = verb<boolean>('contacts.delete', [['session', text], ['address', text]], same)
const contactsLearnIdentity = verb<boolean>('contacts.learn_identity', [['session', text], ['lid', text], ['pn', text]], same)
const contactsIdentities = verb<t.Identity[]>('contacts.identities', [['session', text]], (v: any) => v.map((v: any) => readIdentity(v)))
const contactsCanonical = verb<string>('contacts.canonical', [['session', text], ['address', text]], same)
const webhooksCreate = verb<t.Webhook>('webhooks.create', [['session', text], ['webhook', writeNewWebhook]], (v: any) => readWebhook(v))
const webhooksGet = verb<t.Webhook>('webhooks.get', [['id', text]], (v: any) => readWebhook(v))
const webhooksList = query<Page<t.Webhook>>('webhooks.list', [['session', text], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readWebhook), next: v[1] }))
const webhooksSubscribed = verb<t.Webhook[]>('webhooks.subscribed', [['session', text], ['event', text]], (v: any) => v.map((v: any) => readWebhook(v)))
const webhooksUpdate = verb<t.Webhook>('webhooks.update', [['id', text], ['update', writeWebhookUpdate]], (v: any) => readWebhook(v))
const webhooksDelete = verb<boolean>('webhooks.delete', [['id', text]], same)
const webhooksLog = verb<t.WebhookLog>('webhooks.log', [['webhook', text], ['delivery', writeNewDelivery]], (v: any) => readWebhookLog(v))
const webhooksLogLater = verb<void>('webhooks.log_later', [['webhook', text], ['delivery', writeNewDelivery]], same)
const webhooksLogs = query<Page<t.WebhookLog>>('webhooks.logs', [['webhook', text], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readWebhookLog), next: v[1] }))
const webhooksBegin = verb<t.Begin>('webhooks.begin', [['webhook', text], ['key', text], ['event', text]], (v: any) => readBegin(v))
const webhooksFinish = verb<void>('webhooks.finish', [['webhook', text], ['key', text], ['status', int], ['data', json]], same)
const webhooksForget = verb<boolean>('webhooks.forget', [['webhook', text], ['key', text]], same)
const batchesCreate = verb<t.BatchJob>('batches.create', [['session', text], ['job', writeNewBatch]], (v: any) => readBatchJob(v))
const batchesGet = verb<t.BatchJob>('batches.get', [['id', text]], (v: any) => readBatchJob(v))
const batchesFind = verb<t.BatchJob | null>('batches.find', [['session', text], ['batchId', text]], (v: any) => (v === null ? null : readBatchJob(v)))
const batchesList = query<Page<t.BatchJob>>('batches.list', [['session', text], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readBatchJob), next: v[1] }))
const batchesMessages = verb<t.BatchJobMessage[]>('batches.messages', [['job', text], ['position', int]], (v: any) => v.map((v: any) => readBatchJobMessage(v)))
const batchesClaimNext = verb<t.BatchJobMessage | null>('batches.claim_next', [['job', text]], (v: any) => (v === null ? null : readBatchJobMessage(v)))
const batchesRecord = verb<t.BatchJob>('batches.record', [['message', text], ['result', writeBatchResult]], (v: any) => readBatchJob(v))
const batchesUnknown = verb<t.BatchJobMessage[]>('batches.unknown', [['job', text]], (v: any) => v.map((v: any) => readBatchJobMessage(v)))
const batchesCancel = verb<t.BatchJob>('batches.cancel', [['job', text]], (v: any) => readBatchJob(v))
const batchesFail = verb<t.BatchJob>('batches.fail', [['job', text], ['error', text]], (v: any) => readBatchJob(v))
const authSet = verb<void>('auth.set', [['session', text], ['entries', list(writeAuthEntry)]], same)
const authGet = verb<t.AuthValue>('auth.get', [['session', text], ['category', text], ['keyId', text]], (v: any) => readAuthValue(v))
const authGetMany = verb<t.AuthValue[]>('auth.get_many', [['session', text], ['category', text], ['keyIds', list(text)]], (v: any) => v.map((v: any) => readAuthValue(v)))
const authList = verb<string[]>('auth.list', [['session', text], ['category', text]], same)
const authAll = verb<t.SessionAuth[]>('auth.all', [['session', text]], (v: any) => v.map((v: any) => readSessionAuth(v)))
const authClear = verb<number>('auth.clear', [['session', text], ['category', text]], same)
const apiKeysCreate = verb<t.CreatedKey>('api_keys.create', [['record', writeNewApiKey]], (v: any) => readCreatedKey(v))
const apiKeysRegister = verb<t.CreatedKey>('api_keys.register', [['key', text], ['record', writeNewApiKey]], (v: any) => readCreatedKey(v))
const apiKeysAuthorize = verb<t.Authorization>('api_keys.authorize', [['key', text], ['ask', writeAsk]], (v: any) => readAuthorization(v))
const apiKeysGet = verb<t.ApiKey>('api_keys.get', [['id', text]], (v: any) => readApiKey(v))
const apiKeysFind = verb<t.ApiKey | null>('api_keys.find', [['key', text]], (v: any) => (v === null ? null : readApiKey(v)))
const apiKeysList = query<Page<t.ApiKey>>('api_keys.list', [['page', writePageRequest]], (v: any) => ({ items: v[0].map(readApiKey), next: v[1] }))
const apiKeysUpdate = verb<t.ApiKey>('api_keys.update', [['id', text], ['update', writeApiKeyUpdate]], (v: any) => readApiKey(v))
const apiKeysRevoke = verb<t.ApiKey>('api_keys.revoke', [['id', text], ['force', bool]], (v: any) => readApiKey(v))
const apiKeysDelete = verb<boolean>('api_keys.delete', [['id', text], ['force', bool]], same)
const apiKeysWhitelist = verb<t.IpWhitelistEntry[]>('api_keys.whitelist', [['key', text]], (v: any) => v.map((v: any) => readIpWhitelistEntry(v)))
const apiKeysAllowAddress = verb<t.IpWhitelistEntry>('api_keys.allow_address', [['key', text], ['entry', writeNewWhitelistEntry]], (v: any) => readIpWhitelistEntry(v))
const apiKeysSetAddressActive = verb<boolean>('api_keys.set_address_active', [['entry', text], ['active', bool]], same)
const apiKeysRemoveAddress = verb<boolean>('api_keys.remove_address', [['entry', text]], same)
const apiKeysLog = verb<t.ApiKeyLog>('api_keys.log', [['request', writeNewApiKeyLog]], (v: any) => readApiKeyLog(v))
const apiKeysLogLater = verb<void>('api_keys.log_later', [['request', writeNewApiKeyLog]], same)
const apiKeysLogs = query<Page<t.ApiKeyLog>>('api_keys.logs', [['key', text], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readApiKeyLog), next: v[1] }))
const auditLog = verb<t.AuditLog>('audit.log', [['entry', writeNewAuditLog]], (v: any) => readAuditLog(v))
const auditList = query<Page<t.AuditLog>>('audit.list', [['filter', writeAuditFilter], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readAuditLog), next: v[1] }))
const policyParseTime = verb<Date>('policy.parse_time', [['text', text]], (v: any) => new Date(v))
const policyFormatTime = verb<string>('policy.format_time', [['time', time]], same)
const policyNormalizeAddress = verb<string>('policy.normalize_address', [['address', text]], same)
const policyIsGroup = verb<boolean>('policy.is_group', [['address', text]], same)
const policyIsNewsletter = verb<boolean>('policy.is_newsletter', [['address', text]], same)
const policyIsLid = verb<boolean>('policy.is_lid', [['address', text]], same)
const policyIsPhone = verb<boolean>('policy.is_phone', [['address', text]], same)
const policyIsPerson = verb<boolean>('policy.is_person', [['address', text]], same)
const policyPhoneDigits = verb<string | null>('policy.phone_digits', [['address', text]], same)
const policyCheckTransition = verb<t.Step>('policy.check_transition', [['status', text], ['to', text]], same)
const policyAllowedTransitions = verb<t.SessionStatus[]>('policy.allowed_transitions', [['status', text]], same)
const policyCheckRecreate = verb<void>('policy.check_recreate', [['status', text]], same)
const policyNeedsEngine = verb<boolean>('policy.needs_engine', [['status', text]], same)
const policyShouldRestore = verb<boolean>('policy.should_restore', [['status', text]], same)
const policyRaiseAck = verb<number | null>('policy.raise_ack', [['current', int], ['reported', int]], same)
const policyGenerateKey = verb<string>('policy.generate_key', [], same)
const policyCheckKey = verb<string>('policy.check_key', [['key', text]], same)
const policyHashKey = verb<string>('policy.hash_key', [['key', text], ['pepper', bytes]], same)
const policySameHash = verb<boolean>('policy.same_hash', [['one', text], ['other', text]], same)
const policyKeyPrefix = verb<string>('policy.key_prefix', [['key', text]], same)
const policyParsePermissions = verb<t.Permission[]>('policy.parse_permissions', [['permissions', json]], same)
const policyPermits = verb<boolean>('policy.permits', [['permissions', json], ['permission', text]], same)
const policyCheckScope = verb<void>('policy.check_scope', [['names', json]], same)
const policyDecide = verb<t.Decision>('policy.decide', [['now', time], ['rules', writeKeyRules], ['ask', writeAsk]], same)
const policyParseIp = verb<string>('policy.parse_ip', [['address', text]], same)
const policyParseNetwork = verb<string>('policy.parse_network', [['network', text]], same)
const policyNetworkContains = verb<boolean>('policy.network_contains', [['network', text], ['address', text]], same)
const policyClientIp = verb<string>('policy.client_ip', [['peer', text], ['xForwardedFor', text], ['trusted', list(text)]], same)
const policyIpSpecialUse = verb<string | null>('policy.ip_special_use', [['address', text]], same)
const policyParseWebhookEvents = verb<t.WebhookEvent[]>('policy.parse_webhook_events', [['events', json]], same)
const policyWebhookHears = verb<boolean>('policy.webhook_hears', [['events', json], ['event', text]], same)
const policyCheckWebhookUrl = verb<void>('policy.check_webhook_url', [['url', text], ['allowPrivate', bool]], same)
const policyCheckWebhookIp = verb<void>('policy.check_webhook_ip', [['address', text], ['allowPrivate', bool]], same)
const policyCheckWebhookHeaders = verb<void>('policy.check_webhook_headers', [['headers', json]], same)
const policySignWebhook = verb<string>('policy.sign_webhook', [['secret', text], ['body', bytes]], same)
const policyVerifyWebhook = verb<boolean>('policy.verify_webhook', [['secret', text], ['body', bytes], ['signature', text]], same)
const policyNextAttempt = verb<number | null>('policy.next_attempt', [['attempt', int], ['random', float], ['policy', writeRetryPolicy]], same)
const policyCheckSessionConfig = verb<void>('policy.check_session_config', [['config', json]], same)
const policyHistoryEnabled = verb<boolean>('policy.history_enabled', [['config', json]], same)
const policyMessageWindow = verb<number | null>('policy.message_window', [['config', json], ['fallback', int]], same)
const policyCheckRetentionClock = verb<void>('policy.check_retention_clock', [['now', time], ['window', int], ['lastRun', time], ['newestRow', time]], same)
const policyCheckMedia = verb<void>('policy.check_media', [['media', json]], same)
const policyCheckBatchOptions = verb<void>('policy.check_batch_options', [['options', json]], same)
const policyTextLength = verb<number>('policy.text_length', [['text', text]], same)
const policyNextSlot = verb<Date | null>('policy.next_slot', [['schedule', text], ['after', time], ['timezone', text]], (v: any) => (v === null ? null : new Date(v)))

/** See `store.sessions`. */
export class Sessions extends Group {
  /**
   * Creates a session in status `created`.
   *
   * Errors: `ALREADY_EXISTS` for a name that is taken, `INVALID_ARGUMENT` naming the column.
   */
  create(session: t.NewSession): Promise<t.Session> {
    return this.run(sessionsCreate, [session])
  }

  /**
   * One session by id.
   *
   * Errors: `NOT_FOUND`.
   */
  get(id: string): Promise<t.Session> {
    return this.run(sessionsGet, [id])
  }

  /**
   * One session by name.
   *
   * Errors: those of the database.
   */
  find(name: string): Promise<t.Session | null> {
    return this.run(sessionsFind, [name])
  }

  /**
   * One page of sessions, in the order of creation.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  list(query: t.SessionsListQuery = {}): Promise<Page<t.Session>> {
    return this.run(sessionsList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.SessionsListQuery = {}): AsyncGenerator<t.Session, void, undefined> {
    return this.walk(sessionsList, query)
  }

  /**
   * Changes name, number, settings or the engine's state.
   *
   * Errors: `NOT_FOUND`, `ALREADY_EXISTS`, `INVALID_ARGUMENT`.
   */
  update(id: string, update: t.SessionUpdate): Promise<t.Session> {
    return this.run(sessionsUpdate, [id, update])
  }

  /**
   * Moves a session to a status and logs it in the same commit. The same status again changes nothing, except
   * that a new QR code is logged.
   *
   * Errors: `INVALID_TRANSITION` naming both states and what is allowed, `CONFLICT` when another process was
   * faster, `NOT_FOUND`.
   */
  transition(id: string, to: t.SessionStatus, reason?: string | null): Promise<t.Transition> {
    return this.run(sessionsTransition, [id, to, reason])
  }

  /**
   * After a start: every session that should run again. Those in a state that only a live engine can hold are
   * `disconnected` now.
   */
  restore(): Promise<t.Session[]> {
    return this.run(sessionsRestore, [])
  }

  /**
   * Takes a failed session back to `created`, with its credentials cleared.
   *
   * Errors: `INVALID_TRANSITION` for a session that is not failed, `NOT_FOUND`.
   */
  recreate(id: string): Promise<t.Session> {
    return this.run(sessionsRecreate, [id])
  }

  /**
   * Deletes a session and all that belongs to it: messages, contacts, webhooks, credentials, logs. False: there
   * was none.
   */
  delete(id: string): Promise<boolean> {
    return this.run(sessionsDelete, [id])
  }

  /** Writes one line of a session's log. */
  log(id: string, event: string, data?: unknown): Promise<t.SessionLog> {
    return this.run(sessionsLog, [id, event, data])
  }

  /**
   * One page of a session's log, newest first, all of it or one kind of event.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  logs(query: t.SessionsLogsQuery): Promise<Page<t.SessionLog>> {
    return this.run(sessionsLogs, [query])
  }
}

/** See `store.messages`. */
export class Messages extends Group {
  /**
   * Stores a message, or merges it into the one with the same WhatsApp id, and says which.
   *
   * A repeated delivery never overwrites: it may fill what was empty, raise the ack, or give a placeholder its
   * content.
   *
   * Errors: `INVALID_ARGUMENT` naming the column, `NOT_FOUND` for the session.
   */
  save(session: string, message: t.NewMessage): Promise<t.Saved> {
    return this.run(messagesSave, [session, message])
  }

  /**
   * Stores many messages in one commit, each with its own result. One that is refused does not affect the
   * others.
   */
  saveMany(session: string, messages: t.NewMessage[]): Promise<t.SaveResult[]> {
    return this.run(messagesSaveMany, [session, messages])
  }

  /**
   * Stores history: as `saveMany`, but each row is made at its message's own time, and what
   * retention has removed does not come back (`NotStored`).
   */
  backfill(session: string, messages: t.NewMessage[]): Promise<t.SaveResult[]> {
    return this.run(messagesBackfill, [session, messages])
  }

  /**
   * Raises the delivery state of a message: −1 error, 0 pending, 1 server, 2 delivered, 3 read, 4 played. It
   * never falls. A message that is not here yet gets it when it comes.
   */
  ack(session: string, waMessageId: string, ack: number): Promise<t.Changed> {
    return this.run(messagesAck, [session, waMessageId, ack])
  }

  /** Gives a message a new body. The edit with the latest time wins; a revoked message stays empty. */
  edit(session: string, waMessageId: string, body?: string | null, at?: Date | null): Promise<t.Changed> {
    return this.run(messagesEdit, [session, waMessageId, body, at])
  }

  /** Deletes a message for everyone: body, media and raw are emptied for good, the row stays. */
  revoke(session: string, waMessageId: string, at?: Date | null): Promise<t.Changed> {
    return this.run(messagesRevoke, [session, waMessageId, at])
  }

  /** Sets the reaction of one person (`me` is the own account); an empty `emoji` withdraws it. */
  react(session: string, waMessageId: string, sender: string, emoji: string, at?: Date | null): Promise<t.Changed> {
    return this.run(messagesReact, [session, waMessageId, sender, emoji, at])
  }

  /**
   * One message by its row id.
   *
   * Errors: those of the database.
   */
  get(id: string): Promise<t.Message | null> {
    return this.run(messagesGet, [id])
  }

  /**
   * One message by WhatsApp's id.
   *
   * Errors: those of the database.
   */
  find(session: string, waMessageId: string): Promise<t.Message | null> {
    return this.run(messagesFind, [session, waMessageId])
  }

  /**
   * One page of a session's messages, filtered, newest first unless the filter says otherwise.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  list(query: t.MessagesListQuery): Promise<Page<t.Message>> {
    return this.run(messagesList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.MessagesListQuery): AsyncGenerator<t.Message, void, undefined> {
    return this.walk(messagesList, query)
  }

  /**
   * How many messages match.
   *
   * Errors: those of the database.
   */
  count(query: t.MessagesCountQuery): Promise<number> {
    return this.run(messagesCount, [query])
  }

  /**
   * One page of a session's chats, the one with the newest message first.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  chats(query: t.MessagesChatsQuery): Promise<Page<t.Chat>> {
    return this.run(messagesChats, [query])
  }

  /**
   * The reactions to one message, oldest first.
   *
   * Errors: those of the database.
   */
  reactions(session: string, waMessageId: string): Promise<t.MessageReaction[]> {
    return this.run(messagesReactions, [session, waMessageId])
  }

  /**
   * How many messages that are not here have changes of this kind waiting for them.
   *
   * Errors: those of the database.
   */
  waiting(session: string, kind: t.PendingKind): Promise<number> {
    return this.run(messagesWaiting, [session, kind])
  }
}

/** See `store.contacts`. */
export class Contacts extends Group {
  /**
   * Creates a contact, or adds what is known of it; what the change does not say stays.
   *
   * Errors: `INVALID_ARGUMENT` naming the column, `NOT_FOUND` for the session.
   */
  upsert(session: string, contact: t.ContactChange): Promise<t.Contact> {
    return this.run(contactsUpsert, [session, contact])
  }

  /**
   * One contact by any of its addresses.
   *
   * Errors: those of the database.
   */
  get(session: string, address: string): Promise<t.Contact | null> {
    return this.run(contactsGet, [session, address])
  }

  /**
   * One page of a session's contacts, by address.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  list(query: t.ContactsListQuery): Promise<Page<t.Contact>> {
    return this.run(contactsList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.ContactsListQuery): AsyncGenerator<t.Contact, void, undefined> {
    return this.walk(contactsList, query)
  }

  /** Deletes a contact. False: there was none. */
  delete(session: string, address: string): Promise<boolean> {
    return this.run(contactsDelete, [session, address])
  }

  /**
   * Learns that a LID and a phone address are one person. What was stored under the LID moves to the phone
   * address in the same commit. False: that was known, or it is the account's own number.
   */
  learnIdentity(session: string, lid: string, pn: string): Promise<boolean> {
    return this.run(contactsLearnIdentity, [session, lid, pn])
  }

  /**
   * Every LID-phone pair that a session knows, by LID.
   *
   * Errors: those of the database.
   */
  identities(session: string): Promise<t.Identity[]> {
    return this.run(contactsIdentities, [session])
  }

  /**
   * The address under which a person, group or newsletter is kept.
   *
   * Errors: those of the database.
   */
  canonical(session: string, address: string): Promise<string> {
    return this.run(contactsCanonical, [session, address])
  }
}

/** See `store.webhooks`. */
export class Webhooks extends Group {
  /**
   * Creates a webhook.
   *
   * Errors: `INVALID_ARGUMENT` for URL, events, headers or retry count, `NOT_FOUND` for the session.
   */
  create(session: string, webhook: t.NewWebhook): Promise<t.Webhook> {
    return this.run(webhooksCreate, [session, webhook])
  }

  /**
   * One webhook by id.
   *
   * Errors: `NOT_FOUND`.
   */
  get(id: string): Promise<t.Webhook> {
    return this.run(webhooksGet, [id])
  }

  /**
   * One page of a session's webhooks, in the order of creation.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  list(query: t.WebhooksListQuery): Promise<Page<t.Webhook>> {
    return this.run(webhooksList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.WebhooksListQuery): AsyncGenerator<t.Webhook, void, undefined> {
    return this.walk(webhooksList, query)
  }

  /**
   * The active webhooks of a session that want to hear of an event.
   *
   * Errors: those of the database.
   */
  subscribed(session: string, event: t.WebhookEvent): Promise<t.Webhook[]> {
    return this.run(webhooksSubscribed, [session, event])
  }

  /**
   * Changes a webhook.
   *
   * Errors: `NOT_FOUND`, `INVALID_ARGUMENT`.
   */
  update(id: string, update: t.WebhookUpdate): Promise<t.Webhook> {
    return this.run(webhooksUpdate, [id, update])
  }

  /** Deletes a webhook with its log. False: there was none. */
  delete(id: string): Promise<boolean> {
    return this.run(webhooksDelete, [id])
  }

  /**
   * Logs one attempt to deliver.
   *
   * Errors: `NOT_FOUND` for the webhook, `INVALID_ARGUMENT`.
   */
  log(webhook: string, delivery: t.NewDelivery): Promise<t.WebhookLog> {
    return this.run(webhooksLog, [webhook, delivery])
  }

  /**
   * Logs an attempt without waiting: the row is written within a second, together with others, and before the log is
   * read or the store closed. While the database cannot be reached rows wait, up to 10,000 or 16 MB; beyond that the
   * oldest are lost and counted, see `logBuffer`. A row whose webhook is deleted by then goes with it.
   *
   * Errors: `INVALID_ARGUMENT` naming the column, `CLOSED`. None of the database.
   */
  logLater(webhook: string, delivery: t.NewDelivery): Promise<void> {
    return this.run(webhooksLogLater, [webhook, delivery])
  }

  /**
   * One page of a webhook's delivery log, newest first.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  logs(query: t.WebhooksLogsQuery): Promise<Page<t.WebhookLog>> {
    return this.run(webhooksLogs, [query])
  }

  /**
   * Asks whether an event may be delivered to a webhook; of any number of processes exactly one hears
   * `New`. Entries live 24 hours.
   */
  begin(webhook: string, key: string, event: string): Promise<t.Begin> {
    return this.run(webhooksBegin, [webhook, key, event])
  }

  /**
   * Stores the answer of a delivery, for those that come as duplicates.
   *
   * Errors: `NOT_FOUND` when it was not begun.
   */
  finish(webhook: string, key: string, status?: number | null, data?: unknown): Promise<void> {
    return this.run(webhooksFinish, [webhook, key, status, data])
  }

  /** Takes a beginning back, so that a delivery that failed for good may be begun again. False: there was none. */
  forget(webhook: string, key: string): Promise<boolean> {
    return this.run(webhooksForget, [webhook, key])
  }
}

/** See `store.batches`. */
export class Batches extends Group {
  /**
   * Creates a job with its messages, all or none.
   *
   * Errors: `ALREADY_EXISTS` for a batch id that the session has used, `INVALID_ARGUMENT`, `NOT_FOUND`.
   */
  create(session: string, job: t.NewBatch): Promise<t.BatchJob> {
    return this.run(batchesCreate, [session, job])
  }

  /**
   * One job by its row id.
   *
   * Errors: `NOT_FOUND`.
   */
  get(id: string): Promise<t.BatchJob> {
    return this.run(batchesGet, [id])
  }

  /**
   * One job by the host's own id.
   *
   * Errors: those of the database.
   */
  find(session: string, batchId: string): Promise<t.BatchJob | null> {
    return this.run(batchesFind, [session, batchId])
  }

  /**
   * One page of a session's jobs, newest first.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  list(query: t.BatchesListQuery): Promise<Page<t.BatchJob>> {
    return this.run(batchesList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.BatchesListQuery): AsyncGenerator<t.BatchJob, void, undefined> {
    return this.walk(batchesList, query)
  }

  /**
   * Up to a thousand messages of a job in sending order, from position `from` on.
   *
   * Errors: those of the database.
   */
  messages(job: string, position?: number | null): Promise<t.BatchJobMessage[]> {
    return this.run(batchesMessages, [job, position])
  }

  /**
   * Hands out the next message of a job: in order, once, across threads and processes. Not given: there is none
   * left, or the job has ended.
   */
  claimNext(job: string): Promise<t.BatchJobMessage | null> {
    return this.run(batchesClaimNext, [job])
  }

  /**
   * Records how the sending of a message ended; counters and, with the last one, the job's end come with it.
   *
   * Errors: `CONFLICT` for a message that is not being sent, `NOT_FOUND`.
   */
  record(message: string, result?: t.BatchResult): Promise<t.BatchJob> {
    return this.run(batchesRecord, [message, result])
  }

  /**
   * Messages that were handed out and have no result. After a crash nobody knows whether they went out: ask
   * WhatsApp or the user, then `record` it.
   *
   * Errors: those of the database.
   */
  unknown(job: string): Promise<t.BatchJobMessage[]> {
    return this.run(batchesUnknown, [job])
  }

  /**
   * Withdraws what is pending and ends the job. What is being sent may still get its result.
   *
   * Errors: `CONFLICT` for a job that has ended, `NOT_FOUND`.
   */
  cancel(job: string): Promise<t.BatchJob> {
    return this.run(batchesCancel, [job])
  }

  /**
   * Ends a job with a fatal error; what is pending is withdrawn.
   *
   * Errors: `CONFLICT` for a job that has ended, `NOT_FOUND`.
   */
  fail(job: string, error: string): Promise<t.BatchJob> {
    return this.run(batchesFail, [job, error])
  }
}

/** See `store.auth`. */
export class Auth extends Group {
  /**
   * Sets and deletes any number of keys in one commit: all of them or none.
   *
   * Errors: `NOT_FOUND` for the session, `INVALID_ARGUMENT`, `STORE_KEY_MISSING`, `WRONG_STORE_KEY`.
   */
  set(session: string, entries: t.AuthEntry[]): Promise<void> {
    return this.run(authSet, [session, entries])
  }

  /**
   * One key: found, missing, or unreadable.
   *
   * Errors: those of the database. An engine must not take an error for a missing key.
   */
  get(session: string, category: string, keyId: string): Promise<t.AuthValue> {
    return this.run(authGet, [session, category, keyId])
  }

  /**
   * Several keys of a category, in the order asked for.
   *
   * Errors: as `get`.
   */
  getMany(session: string, category: string, keyIds: string[]): Promise<t.AuthValue[]> {
    return this.run(authGetMany, [session, category, keyIds])
  }

  /**
   * The ids of a category's keys, in order.
   *
   * Errors: those of the database.
   */
  list(session: string, category: string): Promise<string[]> {
    return this.run(authList, [session, category])
  }

  /**
   * Every key of a session.
   *
   * Errors: those of the database.
   */
  all(session: string): Promise<t.SessionAuth[]> {
    return this.run(authAll, [session])
  }

  /** Deletes a session's keys, all or those of one category; says how many. */
  clear(session: string, category?: string | null): Promise<number> {
    return this.run(authClear, [session, category])
  }
}

/** See `store.apiKeys`. */
export class ApiKeys extends Group {
  /**
   * Creates a key of 32 random bytes. The answer holds the only copy of it.
   *
   * Errors: `INVALID_ARGUMENT` naming the column.
   */
  create(record: t.NewApiKey): Promise<t.CreatedKey> {
    return this.run(apiKeysCreate, [record])
  }

  /**
   * Registers a given string as a key, such as a bootstrap secret from the environment.
   *
   * Errors: `ALREADY_EXISTS` when it is registered, `INVALID_ARGUMENT`.
   */
  register(key: string, record: t.NewApiKey): Promise<t.CreatedKey> {
    return this.run(apiKeysRegister, [key, record])
  }

  /**
   * Decides whether a request with a key may go on. The hottest call of a gateway: it writes nothing in its own
   * path, and sees a revocation by any process at the next call.
   *
   * Errors: those of the database; deny then.
   */
  authorize(key: string, ask?: t.Ask): Promise<t.Authorization> {
    return this.run(apiKeysAuthorize, [key, ask])
  }

  /** {@link authorize} on this thread, for where a host cannot await: microseconds. The record is shared; it is frozen. */
  authorizeSync(key: string, ask?: t.Ask): t.Authorization {
    return authorizeSync(this.handle, key, ask)
  }

  /**
   * One key's record by id.
   *
   * Errors: `NOT_FOUND`.
   */
  get(id: string): Promise<t.ApiKey> {
    return this.run(apiKeysGet, [id])
  }

  /**
   * A key's record by the key itself, without counting a use.
   *
   * Errors: those of the database.
   */
  find(key: string): Promise<t.ApiKey | null> {
    return this.run(apiKeysFind, [key])
  }

  /**
   * One page of keys, in the order of creation.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  list(query: t.ApiKeysListQuery = {}): Promise<Page<t.ApiKey>> {
    return this.run(apiKeysList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.ApiKeysListQuery = {}): AsyncGenerator<t.ApiKey, void, undefined> {
    return this.walk(apiKeysList, query)
  }

  /**
   * Changes a key. The next call with it, in any process, sees that.
   *
   * Errors: `LAST_FULL_ACCESS_KEY` when it is the last one and would lose full access, `NOT_FOUND`,
   * `INVALID_ARGUMENT`.
   */
  update(id: string, update: t.ApiKeyUpdate): Promise<t.ApiKey> {
    return this.run(apiKeysUpdate, [id, update])
  }

  /**
   * Switches a key off for good. `force` does so even for the last one with full access.
   *
   * Errors: `LAST_FULL_ACCESS_KEY`, `NOT_FOUND`.
   */
  revoke(id: string, force?: boolean): Promise<t.ApiKey> {
    return this.run(apiKeysRevoke, [id, force])
  }

  /**
   * Deletes a key's record; its log entries stay. False: there was none.
   *
   * Errors: `LAST_FULL_ACCESS_KEY`.
   */
  delete(id: string, force?: boolean): Promise<boolean> {
    return this.run(apiKeysDelete, [id, force])
  }

  /**
   * The addresses from which a key may be used. None: from anywhere. Some, but none active: from nowhere.
   *
   * Errors: those of the database.
   */
  whitelist(key: string): Promise<t.IpWhitelistEntry[]> {
    return this.run(apiKeysWhitelist, [key])
  }

  /**
   * Adds an address or network to a key's whitelist.
   *
   * Errors: `INVALID_ARGUMENT` for what is not strictly an address or network, `ALREADY_EXISTS`, `NOT_FOUND`.
   */
  allowAddress(key: string, entry: t.NewWhitelistEntry): Promise<t.IpWhitelistEntry> {
    return this.run(apiKeysAllowAddress, [key, entry])
  }

  /** Switches a whitelist entry on or off. False: there is none. */
  setAddressActive(entry: string, active?: boolean): Promise<boolean> {
    return this.run(apiKeysSetAddressActive, [entry, active])
  }

  /** Removes a whitelist entry. False: there was none. */
  removeAddress(entry: string): Promise<boolean> {
    return this.run(apiKeysRemoveAddress, [entry])
  }

  /** Logs a request that was made with a key. */
  log(request: t.NewApiKeyLog): Promise<t.ApiKeyLog> {
    return this.run(apiKeysLog, [request])
  }

  /**
   * Logs a request without waiting: the row is written within a second, together with others, and before the log is
   * read or the store closed. While the database cannot be reached rows wait, up to 10,000 or 16 MB; beyond that the
   * oldest are lost and counted, see `logBuffer`.
   *
   * Errors: `INVALID_ARGUMENT` naming the column, `CLOSED`. None of the database.
   */
  logLater(request: t.NewApiKeyLog): Promise<void> {
    return this.run(apiKeysLogLater, [request])
  }

  /**
   * One page of the log of requests, newest first, of one key or of all.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  logs(query: t.ApiKeysLogsQuery = {}): Promise<Page<t.ApiKeyLog>> {
    return this.run(apiKeysLogs, [query])
  }
}

/** See `store.audit`. */
export class Audit extends Group {
  /**
   * Writes one entry.
   *
   * Errors: `INVALID_ARGUMENT` naming the column.
   */
  log(entry: t.NewAuditLog): Promise<t.AuditLog> {
    return this.run(auditLog, [entry])
  }

  /**
   * One page of the trail, newest first.
   *
   * Errors: `INVALID_ARGUMENT` for a bad limit or cursor.
   */
  list(query: t.AuditListQuery = {}): Promise<Page<t.AuditLog>> {
    return this.run(auditList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.AuditListQuery = {}): AsyncGenerator<t.AuditLog, void, undefined> {
    return this.walk(auditList, query)
  }
}

/** The verbs of an open store, group by group. */
export abstract class Groups extends Group {
  readonly sessions: Sessions
  readonly messages: Messages
  readonly contacts: Contacts
  readonly webhooks: Webhooks
  readonly batches: Batches
  readonly auth: Auth
  readonly apiKeys: ApiKeys
  readonly audit: Audit

  /** @internal */
  constructor(handle: Handle) {
    super(handle)
    this.sessions = new Sessions(handle)
    this.messages = new Messages(handle)
    this.contacts = new Contacts(handle)
    this.webhooks = new Webhooks(handle)
    this.batches = new Batches(handle)
    this.auth = new Auth(handle)
    this.apiKeys = new ApiKeys(handle)
    this.audit = new Audit(handle)
  }
  /**
   * Takes what an engine emitted, as JSON, and applies all of it in one commit.
   *
   * `event` is one event (`{"event": "messages.upsert", "data": …}`), an array of them, or a Baileys event map
   * (`{"messages.upsert": …, "chats.update": …}`). Unknown events and fields are counted, never an error; a
   * message that is not acceptable is reported in `refused` and does not affect the rest.
   *
   * Errors: `INVALID_ARGUMENT` for JSON that is no event, `NOT_FOUND` for the session.
   */
  ingest(engine: t.Engine, session: string, event: unknown, at?: Date | null): Promise<t.Ingested> {
    return this.run(storeIngest, [engine, session, event, at])
  }
  /**
   * Sizes, schema versions and row counts. Counting reads the smallest index of every table once; of a large store
   * `overview` tells nearly the same at once.
   *
   * Errors: those of the database.
   */
  status(): Promise<t.Status> {
    return this.run(storeStatus, [])
  }
  /**
   * The store on one screen: what needs attention, sizes, sessions by state, messages per day, growth, deliveries to
   * webhooks, keys that expire. Nothing large is counted, so that it takes milliseconds also with ten million messages;
   * estimates are marked as such.
   *
   * Errors: those of the databases.
   */
  overview(options?: t.OverviewOptions): Promise<t.Overview> {
    return this.run(storeOverview, [options])
  }
  /**
   * Checks both databases: pages and indexes (on SQLite), indexes that cannot be used, rows whose parent does not
   * exist, counters of bulk jobs against a recount, ids of messages against messages, values that cannot be read, rows
   * in the wrong place. It reads everything once, in constant memory, and holds nobody up; on a store that others
   * write to, each question is answered of one moment.
   *
   * Errors: those of the database; what is wrong *in* it is in the report.
   */
  check(): Promise<t.CheckReport> {
    return this.run(storeCheck, [])
  }
  /**
   * Checks, repairs what can be repaired without losing anything, and checks again. What is not certain, such as which
   * of two rows is right, is reported and left. A file with damaged pages is not written to at all. With `dryRun`
   * nothing is changed. The progress tells which table is being looked at, and rows where they are read one by one.
   *
   * Errors: `CANCELLED` when the callback stops it (what is repaired stays), those of the database.
   */
  repair(options?: t.RepairOptions, control?: LongOptions): Promise<t.RepairReport> {
    return this.runLong(storeRepair, [options], control)
  }
  /**
   * Gives the space of deleted rows back. By default it keeps nobody from working: on SQLite free pages go back to the
   * file system in transactions of a few milliseconds; on PostgreSQL every table gets a `VACUUM (ANALYZE)`, which
   * makes room in it for new rows and gives back what is free at its end. With `full` everything is written anew, see
   * `full`. A crash in the middle loses nothing. The progress counts pages on SQLite, tables on
   * PostgreSQL; stopping keeps what was given back until then. Of several processes one runs, the others answer
   * `alreadyRunning`.
   *
   * Errors: `DISK_FULL` when `full` on SQLite finds less room than it needs, before anything is begun; those of the databases.
   */
  vacuum(options?: t.VacuumOptions, control?: LongOptions): Promise<t.VacuumReport> {
    return this.runLong(storeVacuum, [options], control)
  }
  /**
   * Like `export`, to a file that only its owner may read; compressed if its name ends in
   * `.zst`. The file takes its place, and that of an older one, only when it is complete and durable.
   *
   * Errors: as `export`, with the path in the context.
   */
  exportFile(path: string, options?: t.ExportOptions, control?: LongOptions): Promise<t.ExportReport> {
    return this.runLong(storeExportFile, [path, options], control)
  }
  /**
   * Like `import`, from a file.
   *
   * Errors: as `import`, with the path in the context.
   */
  importFile(path: string, options?: t.ImportOptions, control?: LongOptions): Promise<t.ImportReport> {
    return this.runLong(storeImportFile, [path, options], control)
  }
  /**
   * Writes a backup of the store while it is in use: Main and Data as of one moment each, one behind the other.
   * The repository is made if it is missing. What is in it already is not written again, so a backup every hour costs
   * about what changed. It counts only when everything new was read back from the repository.
   *
   * It needs room for a copy of the databases beside Main, or in `tempDir`. Writers go on meanwhile.
   *
   * Errors: `PERMISSION_DENIED` for a wrong password or wrong credentials, `NOT_FOUND` for a missing bucket, `UNAVAILABLE` when
   * the storage does not answer, `BUSY` while another process makes a backup of this store or writes to this repository,
   * `CORRUPT` when a database or the repository is damaged, `DISK_FULL`, `SCHEMA_TOO_NEW` for a repository of a newer
   * version, `CANCELLED`, `UNSUPPORTED` in a build without the feature. Earlier backups stay as they are.
   */
  backup(options?: t.BackupOptions, control?: LongOptions): Promise<t.BackupReport> {
    return this.runLong(storeBackup, [options], control)
  }
  /**
   * The backups in a repository, the oldest first; this store need not be one of them. What other programs put into it
   * is left out.
   *
   * Errors: `NOT_FOUND` when there is no repository; those of `backup`.
   */
  backups(repo?: t.BackupRepo): Promise<t.Backup[]> {
    return this.run(storeBackups, [repo])
  }
  /**
   * Reads backups back whole and compares them with what was written: every byte of every file.
   *
   * Errors: `NOT_FOUND` when there is no such backup; those of `backup`. What is wrong *in* backups is in the
   * report.
   */
  verifyBackups(options?: t.VerifyOptions, control?: LongOptions): Promise<t.BackupVerify> {
    return this.runLong(storeVerifyBackups, [options], control)
  }
  /**
   * Forgets the backups that no rule keeps, and gives back the space that only they used: it is marked first, and removed
   * by a prune at least 23 hours later, so that a backup which is being written meanwhile loses nothing.
   *
   * Errors: `BUSY` while another process writes to the repository; those of `backup`.
   */
  pruneBackups(repo?: t.BackupRepo, keep?: t.KeepRules, control?: LongOptions): Promise<t.BackupPrune> {
    return this.runLong(storePruneBackups, [repo, keep], control)
  }
  /**
   * Restores a backup to where `target` says, which no process may have open: files into a new place or, with
   * `replace`, in place of those that are there, which are set aside under another name; PostgreSQL into a schema
   * without tables. Everything is verified before it takes its place: checksums, integrity, references, row counts.
   * This store has no part in it and may be any, also one in memory.
   *
   * Engines' credentials move on with every message. Those of a backup that were used since break the account, so
   * newer ones are not replaced unless that is allowed.
   *
   * Errors: `CONFLICT` when there is a store already, when its credentials are newer, or when the schema has tables; `BUSY`
   * while a process has the store open; `CORRUPT` for a damaged backup; `SCHEMA_TOO_NEW`; `DISK_FULL`; those of
   * `backup`. The target is left as it was.
   */
  restoreBackup(target?: t.OpenOptions, options?: t.RestoreOptions, control?: LongOptions): Promise<t.RestoreReport> {
    return this.runLong(storeRestoreBackup, [target, options], control)
  }
  /**
   * How the secrets are kept, and whether this process can read them.
   *
   * Errors: those of the database.
   */
  secretsStatus(): Promise<t.SecretsStatus> {
    return this.run(storeSecretsStatus, [])
  }
  /**
   * Seals every secret that is in clear, and rids free space of what was: on SQLite the database is written anew, which
   * takes about its size in disk space, and writers wait meanwhile; on PostgreSQL the tables with secrets are locked
   * while they are. Opening with a key seals as well, but rids only small databases. Says how many rows were sealed.
   * May be broken off and done again.
   *
   * Errors: `STORE_KEY_MISSING` when the store was opened without a key, `WRONG_STORE_KEY`; `UNREADABLE` naming the first row that
   * cannot be read, when all others are sealed; `BUSY` while another process is at it; `CANCELLED`; those of the database.
   */
  sealSecrets(control?: LongOptions): Promise<number> {
    return this.runLong(storeSealSecrets, [], control)
  }
  /**
   * Opens every secret, so that they are in clear again: give the store no key then, or the next open seals them anew.
   * Says how many rows were opened. May be broken off and done again.
   *
   * Errors: as `sealSecrets`.
   */
  unsealSecrets(control?: LongOptions): Promise<number> {
    return this.runLong(storeUnsealSecrets, [], control)
  }
  /**
   * Seals every secret with another key, while this and other processes go on: they learn of the new key by the old
   * one. Says how many rows were sealed. A run that was broken off is finished by another one with the same key; until
   * then the store opens with either.
   *
   * The old key goes on opening the store for 24 hours, so that gateways can be given the new one, and is then refused
   * by the first open. With `retire` it is refused at once: processes that have not met the new key by then have to be
   * opened anew. Calling it again with the same key and `retire` does that later.
   *
   * Errors: `CONFLICT` for a store that is not sealed; as `sealSecrets`.
   */
  rotateStoreKey(newKey: string, retire?: boolean, control?: LongOptions): Promise<number> {
    return this.runLong(storeRotateStoreKey, [newKey, retire], control)
  }
  /**
   * For a store whose key is lost: drops every secret that this process cannot open. Sessions lose their credentials
   * and go back to `created`, to be paired anew; webhooks lose secret and headers and are switched off; what a takeover
   * kept of sessions and webhooks is gone. Messages, contacts and everything else stay. Says how many rows lost
   * something. Open the store without a key for it; afterwards it may be opened with a new one.
   *
   * Errors: `CONFLICT` when this process has the key; `BUSY`, `CANCELLED`, those of the database.
   */
  forgetSecrets(control?: LongOptions): Promise<number> {
    return this.runLong(storeForgetSecrets, [], control)
  }
  /**
   * Every index of both databases, the largest first.
   *
   * Errors: those of the databases.
   */
  indexes(): Promise<t.IndexInfo[]> {
    return this.run(storeIndexes, [])
  }
  /**
   * The monthly tables of messages, oldest first; none where `messages` is one table.
   *
   * Errors: those of the database.
   */
  partitions(): Promise<t.PartitionInfo[]> {
    return this.run(storePartitions, [])
  }
  /**
   * Makes the monthly tables of this month and the next three, and moves rows that wait in the default partition to
   * where they belong. Opening does it, and so does every run of retention; a gateway that runs for months without
   * either calls this once a month. Says how many were made.
   *
   * Errors: `BUSY` when a lock cannot be had for long; those of the database.
   */
  makePartitions(): Promise<number> {
    return this.run(storeMakePartitions, [])
  }
  /**
   * Rebuilds the indexes of both databases, or those of one table, one by one, which gives space back and mends an
   * index that is not valid. Says how many. On PostgreSQL others go on reading and writing meanwhile; on SQLite a
   * writer waits for the index that is being rebuilt. The progress counts indexes.
   *
   * Errors: `INVALID_ARGUMENT` for an unknown table, `CANCELLED` when the callback stops it (what is rebuilt stays), those of
   * the databases.
   */
  reindex(table?: string | null, control?: LongOptions): Promise<number> {
    return this.runLong(storeReindex, [table], control)
  }
  /**
   * Copies this store's rows into another one, whatever the engines of the two, as a stream: memory does not grow
   * with the data. Before anything is kept, each table is read back and compared by number and checksum of its rows;
   * any failure leaves the target as it was. This store may be used meanwhile; what changes after the beginning is not
   * copied, so stop the gateway first when it shall move.
   *
   * Errors: `CONFLICT` for a target that has rows, unless they shall be replaced; those of `export` and
   * `import`, with the store that they are about in the context.
   */
  migrateTo(data: string, options?: t.MigrateOptions, control?: LongOptions): Promise<t.MigrateReport> {
    return this.runLong(storeMigrateTo, [data, options], control)
  }
  /**
   * Takes over what another gateway has: each source is a path or a `postgres://` URL, and is recognised by what
   * it is:
   *
   * - OpenWA's databases as SQLite files (`main.sqlite`, `openwa.sqlite`), also with a journal beside; they are
   * never changed;
   * - OpenWA's database on a PostgreSQL server: `postgres://user:password@host/database?schema=public`;
   * - OpenWA's export, plain or compressed with gzip or zstd;
   * - an auth folder of Baileys; a session archive of whatsapp-web.js' `RemoteAuth`.
   *
   * All of it or nothing; see `import`. Rows that are there already stay as they are, so a
   * second run changes nothing. What has no column here is kept in `openwa_extra`. Memory does not grow with the
   * sources; a temporary file of about their size does.
   *
   * Errors: `INVALID_DATA` saying what a source looks like, or naming table, row and column of the first bad row;
   * `FOREIGN_DATABASE` for another program's database; `BUSY` when a source is being written to; `CANCELLED`;
   * those of the databases.
   */
  takeover(sources: string[], options?: t.TakeoverOptions, control?: LongOptions): Promise<t.TakeoverReport> {
    return this.runLong(storeTakeover, [sources, options], control)
  }
  /**
   * Like `export_openwa`, to a file that only its owner may read; compressed if its name
   * ends in `.zst`. It takes its place only when it is complete and durable.
   *
   * Errors: as `export`, with the path in the context.
   */
  exportOpenwaFile(path: string, control?: LongOptions): Promise<t.OpenwaExportReport> {
    return this.runLong(storeExportOpenwaFile, [path], control)
  }
  /**
   * Counts what `runRetention` would delete, and deletes nothing.
   *
   * Errors: `INVALID_ARGUMENT` for a session whose settings have a window that makes no sense, and those of the database.
   */
  retentionPreview(options?: t.RetentionOptions): Promise<t.RetentionReport> {
    return this.run(storeRetentionPreview, [options])
  }
  /**
   * Deletes what is older than its window, in transactions of a few milliseconds, and gives the space back. Of
   * several processes one runs, the others answer `alreadyRunning`.
   *
   * Errors: `CLOCK_JUMP` when the clock seems to have jumped and `force` is not set, `INVALID_ARGUMENT` for settings that
   * make no sense, and those of the database.
   */
  runRetention(options?: t.RetentionOptions, control?: LongOptions): Promise<t.RetentionReport> {
    return this.runLong(storeRunRetention, [options], control)
  }
  /**
   * What retention is about to do: how many rows are older than their window, and whether messages wait for a yes.
   *
   * Errors: as `retentionPreview`.
   */
  retentionStatus(options?: t.RetentionOptions): Promise<t.RetentionStatus> {
    return this.run(storeRetentionStatus, [options])
  }
  /**
   * Says yes to retention: messages that moved in go with the next run if they are older than their window, and the
   * clock is right as it stands, however far it has jumped. Answers what had moved in.
   *
   * Errors: those of the database.
   */
  acceptRetention(): Promise<t.MovedIn[]> {
    return this.run(storeAcceptRetention, [])
  }
  /**
   * Starts maintenance in a thread of this store: retention, months ahead, uses of API keys, statistics, each by its
   * schedule. It ends with `stopMaintenance` or with the store.
   *
   * Any number of processes may run it on the same databases: one of them runs a slot. What was missed while nobody
   * ran is made up for once; but what deletes has its first run in the next slot, so that it can be seen before
   * (`retentionStatus`). A job that fails is tried again within its slot if that may help, and never keeps another
   * one from running.
   *
   * Errors: `INVALID_ARGUMENT` naming the job for what is no schedule or time zone, `CONFLICT` when it runs already.
   */
  startMaintenance(options?: t.MaintenanceOptions): Promise<void> {
    return this.run(storeStartMaintenance, [options])
  }
  /**
   * Stops maintenance: a job that runs ends after its next step, and goes on when maintenance is started again. Does
   * nothing when it does not run.
   *
   * Errors: `FORKED`, `CLOSED`.
   */
  stopMaintenance(): Promise<void> {
    return this.run(storeStopMaintenance, [])
  }
  /**
   * Runs what is due now and returns: maintenance for a host that has its own scheduler, such as cron. With `job`, runs
   * that one, due or not. The answer has one entry for each job that was run at a place, and says how it ended and how
   * many rows it deleted; a failure of one keeps no other from running. One that deletes and never ran is `scheduled`.
   * The progress counts each job's steps, with its name for a table; of one that deletes, it first tells of how many
   * rows.
   *
   * Errors: `INVALID_ARGUMENT` as `startMaintenance`, and for a job that has no schedule; `CLOSED`.
   */
  runMaintenance(options?: t.MaintenanceOptions, job?: t.Job | null, control?: LongOptions): Promise<t.MaintenanceRun[]> {
    return this.runLong(storeRunMaintenance, [options, job], control)
  }
  /**
   * The jobs of maintenance: when each ran last, how that ended, when it runs next. Jobs of all processes that share
   * the databases are among them, whether or not this one runs any.
   *
   * Errors: `CLOSED`. A database that cannot be asked shows in the errors of its jobs.
   */
  maintenance(): Promise<t.MaintenanceJob[]> {
    return this.run(storeMaintenance, [])
  }
  /**
   * Writes what the verbs `logLater` of webhooks and API keys have left in memory. The store does so by itself within
   * a second, before a log is read, and when it is closed.
   *
   * Errors: those of the databases; what could not be written waits on.
   */
  flushLogs(): Promise<void> {
    return this.run(storeFlushLogs, [])
  }
  /**
   * How many rows wait in memory to be written to the logs of requests and deliveries, and how many were lost.
   *
   * Errors: `CLOSED`.
   */
  logBuffer(): Promise<t.LogBuffer> {
    return this.run(storeLogBuffer, [])
  }
}

/** The rules of the library, which need no store. */
export const policy = {
  /**
   * Reads a time as people and programs write it: `Z` or any numeric offset, 0 to 9 fraction digits (cut to
   * milliseconds), `T` or a space, a date alone (midnight UTC), and a zoneless time, which means UTC.
   *
   * Errors: `INVALID_ARGUMENT` for anything else.
   */
  parseTime(text: string): Date {
    return callPure(policyParseTime, [text])
  },
  /** The text of a time, exactly as JavaScript's `toISOString` writes it: `2026-01-05T08:01:23.000Z`. */
  formatTime(time: Date): string {
    return callPure(policyFormatTime, [time])
  },
  /**
   * The form in which a WhatsApp address is kept: without device and agent, with `s.whatsapp.net` for `c.us`. A
   * bare telephone number is taken for a phone address; what is no person's address stays as it is.
   */
  normalizeAddress(address: string): string {
    return callPure(policyNormalizeAddress, [address])
  },
  /** Whether a WhatsApp address is a group's. */
  isGroup(address: string): boolean {
    return callPure(policyIsGroup, [address])
  },
  /** Whether a WhatsApp address is a channel's. */
  isNewsletter(address: string): boolean {
    return callPure(policyIsNewsletter, [address])
  },
  /** Whether a WhatsApp address is a person's LID, in any form. */
  isLid(address: string): boolean {
    return callPure(policyIsLid, [address])
  },
  /** Whether a WhatsApp address is a person's phone address, in any form. */
  isPhone(address: string): boolean {
    return callPure(policyIsPhone, [address])
  },
  /** Whether a WhatsApp address is a person's, phone or LID, in any form. */
  isPerson(address: string): boolean {
    return callPure(policyIsPerson, [address])
  },
  /**
   * The telephone number of a phone address, digits only. Nothing for everything else, LIDs above all: their
   * digits look like a number and are none.
   */
  phoneDigits(address: string): string | null {
    return callPure(policyPhoneDigits, [address])
  },
  /**
   * Whether a session may go from one status to another: `move`, or `same` when that changes nothing.
   *
   * Errors: `INVALID_TRANSITION` with the context `from`, `to` and `allowed`.
   */
  checkTransition(status: t.SessionStatus, to: t.SessionStatus): t.Step {
    return callPure(policyCheckTransition, [status, to])
  },
  /** Every status to which a session in this one may move. */
  allowedTransitions(status: t.SessionStatus): t.SessionStatus[] {
    return callPure(policyAllowedTransitions, [status])
  },
  /**
   * Whether a session may be recreated: only a failed one.
   *
   * Errors: `INVALID_TRANSITION` with the context `from`, `to` and `allowed`.
   */
  checkRecreate(status: t.SessionStatus): void {
    return callPure(policyCheckRecreate, [status])
  },
  /** Whether only a running engine can hold a session in this status. */
  needsEngine(status: t.SessionStatus): boolean {
    return callPure(policyNeedsEngine, [status])
  },
  /** Whether a session in this status should run again after a start of the gateway. */
  shouldRestore(status: t.SessionStatus): boolean {
    return callPure(policyShouldRestore, [status])
  },
  /** The delivery state that is further up. One never falls: none < 0 < -1 < 1 < 2 < 3 < 4 < 5. */
  raiseAck(current?: number | null, reported?: number | null): number | null {
    return callPure(policyRaiseAck, [current, reported])
  },
  /** Makes a new API key from the system's random numbers. Nothing is stored. */
  generateKey(): string {
    return callPure(policyGenerateKey, [])
  },
  /**
   * A key that the host brings along, without the white space around it.
   *
   * Errors: `INVALID_ARGUMENT` when nothing is left.
   */
  checkKey(key: string): string {
    return callPure(policyCheckKey, [key])
  },
  /**
   * The hash of an API key as it is stored: SHA-256 of the trimmed key, or HMAC-SHA256 of it keyed by the pepper, in
   * 64 lower-case hex digits.
   */
  hashKey(key: string, pepper?: Uint8Array | null): string {
    return callPure(policyHashKey, [key, pepper])
  },
  /**
   * Whether two stored hashes are equal, in a time that does not depend on where they differ.
   *
   * Errors: `INVALID_ARGUMENT` for what is not 64 hex digits.
   */
  sameHash(one: string, other: string): boolean {
    return callPure(policySameHash, [one, other])
  },
  /** The first 12 characters of the trimmed key, by which people tell keys apart. */
  keyPrefix(key: string): string {
    return callPure(policyKeyPrefix, [key])
  },
  /**
   * Reads a JSON array of permission names. Repeated names count once, order is kept.
   *
   * Errors: `INVALID_ARGUMENT` naming the place for an unknown name.
   */
  parsePermissions(permissions: t.Permission[]): t.Permission[] {
    return callPure(policyParsePermissions, [permissions])
  },
  /**
   * Whether a key with these permissions has one. Unknown names grant nothing, `["*"]` grants everything.
   *
   * Errors: `INVALID_ARGUMENT` for what is no JSON array of names.
   */
  permits(permissions: t.Permission[], permission: t.Permission): boolean {
    return callPure(policyPermits, [permissions, permission])
  },
  /**
   * Checks a JSON array of names to which a key is confined.
   *
   * Errors: `INVALID_ARGUMENT` naming the place.
   */
  checkScope(names: unknown): void {
    return callPure(policyCheckScope, [names])
  },
  /**
   * Whether a key may do what a request asks, without any store.
   *
   * Errors: `UNREADABLE` naming the column for rules that make no sense; deny then.
   */
  decide(now: Date, rules?: t.KeyRules, ask?: t.Ask): t.Decision {
    return callPure(policyDecide, [now, rules, ask])
  },
  /**
   * Reads an IP address strictly and gives its one form: `::ffff:a.b.c.d` is `a.b.c.d`.
   *
   * Errors: `INVALID_ARGUMENT`.
   */
  parseIp(address: string): string {
    return callPure(policyParseIp, [address])
  },
  /**
   * Reads a network in CIDR notation strictly and gives its one form, with the bits behind the prefix masked off.
   *
   * Errors: `INVALID_ARGUMENT`.
   */
  parseNetwork(network: string): string {
    return callPure(policyParseNetwork, [network])
  },
  /**
   * Whether an IP address lies in a network.
   *
   * Errors: `INVALID_ARGUMENT`.
   */
  networkContains(network: string, address: string): boolean {
    return callPure(policyNetworkContains, [network, address])
  },
  /**
   * The address of the client behind trusted proxies: the `X-Forwarded-For` header is read from the right, and only
   * past hops that are trusted.
   *
   * Errors: `INVALID_ARGUMENT`.
   */
  clientIp(peer: string, xForwardedFor?: string | null, trusted?: string[] | null): string {
    return callPure(policyClientIp, [peer, xForwardedFor, trusted])
  },
  /**
   * What makes an IP address unfit for a request to a stranger's server: `loopback`, `private`, `metadata` …;
   * nothing for a public address.
   */
  ipSpecialUse(address: string): string | null {
    return callPure(policyIpSpecialUse, [address])
  },
  /**
   * Reads a JSON array of webhook event names. Repeated names count once, order is kept.
   *
   * Errors: `INVALID_ARGUMENT` naming the place for an unknown name.
   */
  parseWebhookEvents(events: t.WebhookEvent[]): t.WebhookEvent[] {
    return callPure(policyParseWebhookEvents, [events])
  },
  /**
   * Whether a webhook that was registered for some events hears of one.
   *
   * Errors: `INVALID_ARGUMENT` for what is no JSON array of event names.
   */
  webhookHears(events: t.WebhookEvent[], event: t.WebhookEvent): boolean {
    return callPure(policyWebhookHears, [events, event])
  },
  /**
   * Checks a webhook's URL: http or https, at most 2,048 characters, no credentials, and no address that is
   * recognisably not public unless that is allowed. A public name may still resolve to a private address: check
   * that with `checkWebhookIp`, and connect to that very address.
   *
   * Errors: `INVALID_ARGUMENT` naming the column `url`.
   */
  checkWebhookUrl(url: string, allowPrivate?: boolean): void {
    return callPure(policyCheckWebhookUrl, [url, allowPrivate])
  },
  /**
   * Checks the address that a webhook's host stands for.
   *
   * Errors: `INVALID_ARGUMENT` for a loopback, private, link-local or metadata address.
   */
  checkWebhookIp(address: string, allowPrivate?: boolean): void {
    return callPure(policyCheckWebhookIp, [address, allowPrivate])
  },
  /**
   * Checks the extra headers of a webhook: a JSON object of strings, with names and values that cannot smuggle
   * another header in.
   *
   * Errors: `INVALID_ARGUMENT` naming the header.
   */
  checkWebhookHeaders(headers: Record<string, string>): void {
    return callPure(policyCheckWebhookHeaders, [headers])
  },
  /** The signature of a delivery's body: `sha256=` and the HMAC-SHA256 keyed by the secret, in lower-case hex. */
  signWebhook(secret: string, body: Uint8Array): string {
    return callPure(policySignWebhook, [secret, body])
  },
  /** Whether a signature is the one of this body, compared in constant time. */
  verifyWebhook(secret: string, body: Uint8Array, signature: string): boolean {
    return callPure(policyVerifyWebhook, [secret, body, signature])
  },
  /** How long to wait after an attempt has failed: exponential back-off with full jitter. Nothing: no retries left. */
  nextAttempt(attempt: number, random: number, policy?: t.RetryPolicy): number | null {
    return callPure(policyNextAttempt, [attempt, random, policy])
  },
  /**
   * Checks a session's settings: known keys must have the right type, unknown ones are kept.
   *
   * Errors: `INVALID_ARGUMENT` naming the path.
   */
  checkSessionConfig(config: unknown): void {
    return callPure(policyCheckSessionConfig, [config])
  },
  /**
   * Whether a session with these settings keeps its messages.
   *
   * Errors: `UNREADABLE` for what is no JSON.
   */
  historyEnabled(config: unknown): boolean {
    return callPure(policyHistoryEnabled, [config])
  },
  /**
   * How long a session with these settings keeps its messages; nothing: for ever.
   *
   * Errors: `INVALID_ARGUMENT` naming the path.
   */
  messageWindow(config: unknown, fallback?: number | null): number | null {
    return callPure(policyMessageWindow, [config, fallback])
  },
  /**
   * Refuses a run of retention under a clock that seems to have jumped.
   *
   * Errors: `CLOCK_JUMP` with the context `now`, `known` and `window_seconds`.
   */
  checkRetentionClock(now: Date, window: number, lastRun?: Date | null, newestRow?: Date | null): void {
    return callPure(policyCheckRetentionClock, [now, window, lastRun, newestRow])
  },
  /**
   * Checks what a message says about its file.
   *
   * Errors: `INVALID_ARGUMENT` naming the path.
   */
  checkMedia(media: unknown): void {
    return callPure(policyCheckMedia, [media])
  },
  /**
   * Checks the options of a bulk job.
   *
   * Errors: `INVALID_ARGUMENT` naming the path.
   */
  checkBatchOptions(options: unknown): void {
    return callPure(policyCheckBatchOptions, [options])
  },
  /** The size of a text as limits count it: in code points. */
  textLength(text: string): number {
    return callPure(policyTextLength, [text])
  },
  /**
   * When a cron expression of five fields (`minute hour day month weekday`) is due next after an instant. A local time
   * that daylight saving time skips or repeats counts once.
   *
   * Errors: `INVALID_ARGUMENT` naming `schedule` or `timezone`.
   */
  nextSlot(schedule: string, after: Date, timezone?: string | null): Date | null {
    return callPure(policyNextSlot, [schedule, after, timezone])
  },
} as const
