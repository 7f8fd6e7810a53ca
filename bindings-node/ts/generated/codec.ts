// Generated from the library's description by `BLESS=1 cargo test -p openwa-node`. Do not edit.
import { bool, bytes, float, int, json, list, record, text, time } from '../codec.js'
import { OpenWAError } from '../error.js'
import type * as t from './types.js'

/* eslint-disable @typescript-eslint/no-explicit-any */

export const writeOpenOptions = record('OpenOptions', {
  dir: text,
  main: text,
  data: text,
  fromEnv: bool,
  apiKeyPepper: text,
  storeKey: text,
  history: bool,
  durability: text,
  queue: int,
  group: int,
})

export const writeOverviewOptions = record('OverviewOptions', {
  days: int,
  windowDays: int,
})

export const writeRepairOptions = record('RepairOptions', {
  dryRun: bool,
})

export const writeVacuumOptions = record('VacuumOptions', {
  full: bool,
})

export const writeExportOptions = record('ExportOptions', {
  main: bool,
  tables: list(text),
  redact: bool,
  compress: bool,
})

export const writeImportOptions = record('ImportOptions', {
  mode: text,
  missing: text,
  dryRun: bool,
})

export const writeBackupRepo = record('BackupRepo', {
  repo: text,
  password: text,
  passwordFile: text,
  passwordCommand: text,
})

export const writeKeepRules = record('KeepRules', {
  last: int,
  hourly: int,
  daily: int,
  weekly: int,
  monthly: int,
  yearly: int,
  name: text,
})

export const writeBackupOptions = record('BackupOptions', {
  repo: writeBackupRepo,
  name: text,
  prune: bool,
  keep: writeKeepRules,
  tempDir: text,
  pgDump: text,
  readAll: bool,
})

export const writeVerifyOptions = record('VerifyOptions', {
  repo: writeBackupRepo,
  backup: text,
})

export const writeRestoreOptions = record('RestoreOptions', {
  repo: writeBackupRepo,
  backup: text,
  name: text,
  replace: bool,
  allowOldCredentials: bool,
})

export const writeMigrateOptions = record('MigrateOptions', {
  main: bool,
  replace: bool,
})

export const writeTakeoverOptions = record('TakeoverOptions', {
  plan: bool,
  skipBadRows: bool,
  session: text,
})

export const writeRetentionWindows = record('RetentionWindows', {
  messages: int,
  sessionLogs: int,
  webhookLogs: int,
  apiKeyLogs: int,
  auditLogs: int,
  batches: int,
  webhookIdempotency: int,
  pendingChanges: int,
})

export const writeRetentionOptions = record('RetentionOptions', {
  windows: writeRetentionWindows,
  now: time,
  force: bool,
})

export const writeMaintenanceOptions = record('MaintenanceOptions', {
  retention: text,
  idempotency: text,
  partitions: text,
  usage: text,
  optimize: text,
  backup: text,
  backups: writeBackupOptions,
  timezone: text,
  windows: writeRetentionWindows,
})

export const writeNewSession = record('NewSession', {
  id: text,
  name: text,
  phone: text,
  pushName: text,
  config: json,
})

export const writeSessionFilter = record('SessionFilter', {
  status: text,
  phone: text,
})

export const writePageRequest = record('PageRequest', {
  limit: int,
  after: text,
})

export const writeSessionUpdate = record('SessionUpdate', {
  name: text,
  phone: text,
  pushName: text,
  config: json,
  authState: json,
})

export const writeNewMessage = record('NewMessage', {
  waMessageId: text,
  chatId: text,
  fromNumber: text,
  toNumber: text,
  type: text,
  body: text,
  media: json,
  ack: int,
  fromMe: bool,
  waTimestamp: time,
  createdAt: time,
  editedAt: time,
  revokedAt: time,
  raw: bytes,
})

export const writeMessageFilter = record('MessageFilter', {
  chat: text,
  from: time,
  until: time,
  type: text,
  fromMe: bool,
  text: text,
  order: text,
})

export const writeContactChange = record('ContactChange', {
  waContactId: text,
  name: text,
  pushName: text,
  isMyContact: bool,
  isBlocked: bool,
  profilePicUrl: text,
})

export const writeContactFilter = record('ContactFilter', {
  phone: text,
  blocked: bool,
})

export const writeNewWebhook = record('NewWebhook', {
  url: text,
  events: json,
  secret: text,
  headers: json,
  retryCount: int,
  active: bool,
  allowPrivate: bool,
})

export const writeWebhookUpdate = record('WebhookUpdate', {
  url: text,
  events: json,
  secret: text,
  headers: json,
  retryCount: int,
  active: bool,
  allowPrivate: bool,
})

export const writeNewDelivery = record('NewDelivery', {
  event: text,
  statusCode: int,
  attempt: int,
  payload: json,
  response: json,
  error: text,
})

export const writeNewBatchMessage = record('NewBatchMessage', {
  chatId: text,
  messageType: text,
  content: json,
  variables: json,
})

export const writeNewBatch = record('NewBatch', {
  batchId: text,
  messages: list(writeNewBatchMessage),
  options: json,
})

export const writeBatchResult = record('BatchResult', {
  sent: bool,
  waMessageId: text,
  errorCode: text,
  errorMessage: text,
})

export const writeAuthEntry = record('AuthEntry', {
  category: text,
  keyId: text,
  value: bytes,
})

export const writeNewApiKey = record('NewApiKey', {
  name: text,
  permissions: json,
  allowedSessions: json,
  allowedChats: json,
  expiresAt: time,
})

export const writeAsk = record('Ask', {
  permission: text,
  ip: text,
  session: text,
  sessionAlias: text,
  chat: text,
})

export const writeApiKeyUpdate = record('ApiKeyUpdate', {
  name: text,
  permissions: json,
  allowedSessions: json,
  allowedChats: json,
  active: bool,
  expiresAt: time,
})

export const writeNewWhitelistEntry = record('NewWhitelistEntry', {
  ipAddress: text,
  cidrRange: text,
  description: text,
  active: bool,
})

export const writeNewApiKeyLog = record('NewApiKeyLog', {
  apiKeyId: text,
  endpoint: text,
  method: text,
  ipAddress: text,
  userAgent: text,
  statusCode: int,
  responseTime: int,
})

export const writeNewAuditLog = record('NewAuditLog', {
  action: text,
  severity: text,
  apiKeyId: text,
  apiKeyName: text,
  sessionId: text,
  sessionName: text,
  ipAddress: text,
  userAgent: text,
  method: text,
  path: text,
  statusCode: int,
  metadata: json,
  errorMessage: text,
})

export const writeAuditFilter = record('AuditFilter', {
  action: text,
  sessionId: text,
  apiKeyId: text,
})

export const writeKeyRules = record('KeyRules', {
  permissions: json,
  allowedSessions: json,
  allowedChats: json,
  active: bool,
  expiresAt: time,
  whitelist: list(writeNewWhitelistEntry),
})

export const writeRetryPolicy = record('RetryPolicy', {
  retryCount: int,
  base: int,
  cap: int,
})

export const readMessage = (v: any): t.Message => ({
  id: v[0],
  sessionId: v[1],
  waMessageId: v[2],
  chatId: v[3],
  fromNumber: v[4],
  toNumber: v[5],
  type: v[6],
  body: v[7],
  media: v[8] === null ? null : JSON.parse(v[8]),
  ack: v[9],
  fromMe: v[10],
  isGroup: v[11],
  waTimestamp: new Date(v[12]),
  createdAt: new Date(v[13]),
  editedAt: v[14] === null ? null : new Date(v[14]),
  revokedAt: v[15] === null ? null : new Date(v[15]),
  raw: v[16],
})

export const readSaved = (v: any): t.Saved => ({
  outcome: v[0],
  isNew: v[1],
  upgraded: v[2],
  message: readMessage(v[3]),
})

export const readSkippedMessage = (v: any): t.SkippedMessage => ({
  waMessageId: v[0],
  reason: v[1],
})

export const readFailure = (v: any): OpenWAError =>
  new OpenWAError(v[1], v[2], { retryable: v[3], context: JSON.parse(v[4]) })

export const readRefusedMessage = (v: any): t.RefusedMessage => ({
  waMessageId: v[0],
  error: readFailure(v[1]),
})

export const readIngested = (v: any): t.Ingested => ({
  messages: v[0].map((v: any) => readSaved(v)),
  skipped: v[1].map((v: any) => readSkippedMessage(v)),
  refused: v[2].map((v: any) => readRefusedMessage(v)),
  changes: v[3],
  unchanged: v[4],
  waiting: v[5],
  pairs: v[6],
  contacts: v[7],
  status: v[8],
  unknown: v[9],
})

export const readApplied = (v: any): t.Applied => ({
  version: v[0],
  name: v[1],
  appliedAt: v[2] === null ? null : new Date(v[2]),
})

export const readTableRows = (v: any): t.TableRows => ({
  table: v[0],
  rows: v[1],
})

export const readDatabaseStatus = (v: any): t.DatabaseStatus => ({
  database: v[0],
  path: v[1],
  engine: v[2],
  bytes: v[3],
  walBytes: v[4],
  steps: v[5].map((v: any) => readApplied(v)),
  rows: v[6].map((v: any) => readTableRows(v)),
})

export const readStatus = (v: any): t.Status => ({
  version: v[0],
  databases: v[1].map((v: any) => readDatabaseStatus(v)),
})

export const readTableEstimate = (v: any): t.TableEstimate => ({
  table: v[0],
  rows: v[1],
  exact: v[2],
})

export const readDatabaseOverview = (v: any): t.DatabaseOverview => ({
  database: v[0],
  place: v[1],
  engine: v[2],
  schemaVersion: v[3],
  bytes: v[4],
  freeBytes: v[5],
  walBytes: v[6],
  diskFreeBytes: v[7],
  connections: v[8],
  maxConnections: v[9],
  tables: v[10].map((v: any) => readTableEstimate(v)),
})

export const readSessionCount = (v: any): t.SessionCount => ({
  status: v[0],
  sessions: v[1],
})

export const readTroubledSession = (v: any): t.TroubledSession => ({
  id: v[0],
  name: v[1],
  status: v[2],
  since: new Date(v[3]),
})

export const readDayCount = (v: any): t.DayCount => ({
  day: new Date(v[0]),
  messages: v[1],
})

export const readGrowth = (v: any): t.Growth => ({
  messagesPerDay: v[0],
  bytesPerDay: v[1],
  oldest: v[2] === null ? null : new Date(v[2]),
  window: v[3],
  fullAt: v[4] === null ? null : new Date(v[4]),
  bytesWhenFull: v[5],
})

export const readDeliveries = (v: any): t.Deliveries => ({
  attempts: v[0],
  delivered: v[1],
  webhooks: v[2],
})

export const readExpiringKey = (v: any): t.ExpiringKey => ({
  name: v[0],
  keyPrefix: v[1],
  expiresAt: new Date(v[2]),
})

export const readOverview = (v: any): t.Overview => ({
  version: v[0],
  at: new Date(v[1]),
  problems: v[2],
  databases: v[3].map((v: any) => readDatabaseOverview(v)),
  sessions: v[4].map((v: any) => readSessionCount(v)),
  troubled: v[5].map((v: any) => readTroubledSession(v)),
  days: v[6].map((v: any) => readDayCount(v)),
  daysEstimated: v[7],
  growth: readGrowth(v[8]),
  deliveries: readDeliveries(v[9]),
  keys: v[10].map((v: any) => readExpiringKey(v)),
  lastRetention: v[11] === null ? null : new Date(v[11]),
})

export const readFinding = (v: any): t.Finding => ({
  kind: v[0],
  database: v[1],
  table: v[2],
  part: v[3],
  count: v[4],
  example: v[5],
  repairable: v[6],
  text: v[7],
  advice: v[8],
})

export const readCheckReport = (v: any): t.CheckReport => ({
  findings: v[0].map((v: any) => readFinding(v)),
  problems: v[1],
})

export const readRepaired = (v: any): t.Repaired => ({
  kind: v[0],
  database: v[1],
  table: v[2],
  count: v[3],
})

export const readRepairReport = (v: any): t.RepairReport => ({
  found: v[0].map((v: any) => readFinding(v)),
  repaired: v[1].map((v: any) => readRepaired(v)),
  left: v[2].map((v: any) => readFinding(v)),
  failed: v[3],
})

export const readVacuumedPart = (v: any): t.VacuumedPart => ({
  database: v[0],
  table: v[1],
  bytesBefore: v[2],
  bytesAfter: v[3],
})

export const readVacuumReport = (v: any): t.VacuumReport => ({
  parts: v[0].map((v: any) => readVacuumedPart(v)),
  alreadyRunning: v[1],
  stopped: v[2],
})

export const readExportReport = (v: any): t.ExportReport => ({
  exportedAt: new Date(v[0]),
  tables: v[1].map((v: any) => readTableRows(v)),
  redacted: v[2],
  sha256: v[3],
  bytes: v[4],
})

export const readImportedTable = (v: any): t.ImportedTable => ({
  table: v[0],
  rows: v[1],
  inserted: v[2],
  removed: v[3],
})

export const readImportReport = (v: any): t.ImportReport => ({
  exportedAt: new Date(v[0]),
  dryRun: v[1],
  tables: v[2].map((v: any) => readImportedTable(v)),
  redacted: v[3],
  notes: v[4],
})

export const readBackup = (v: any): t.Backup => ({
  id: v[0],
  name: v[1],
  host: v[2],
  mainAt: new Date(v[3]),
  dataAt: new Date(v[4]),
  library: v[5],
  dataForm: v[6],
  dataEngine: v[7],
  rows: v[8],
  bytes: v[9],
  sealed: v[10],
  added: v[11],
})

export const readBackupPrune = (v: any): t.BackupPrune => ({
  kept: v[0],
  forgotten: v[1],
  freed: v[2],
  marked: v[3],
})

export const readBackupReport = (v: any): t.BackupReport => ({
  backup: readBackup(v[0]),
  tables: v[1].map((v: any) => readTableRows(v)),
  verified: v[2],
  prune: v[3] === null ? null : readBackupPrune(v[3]),
})

export const readBackupVerify = (v: any): t.BackupVerify => ({
  sound: v[0],
  damaged: v[1],
  bytes: v[2],
  problems: v[3],
})

export const readRestoreReport = (v: any): t.RestoreReport => ({
  backup: readBackup(v[0]),
  tables: v[1].map((v: any) => readTableRows(v)),
  setAside: v[2],
  credentialsAt: v[3] === null ? null : new Date(v[3]),
})

export const readSecretsStatus = (v: any): t.SecretsStatus => ({
  state: v[0],
  key: v[1],
  oldKey: v[2],
  oldKeyUntil: v[3] === null ? null : new Date(v[3]),
  since: v[4] === null ? null : new Date(v[4]),
  usable: v[5],
  clean: v[6],
})

export const readIndexInfo = (v: any): t.IndexInfo => ({
  database: v[0],
  table: v[1],
  name: v[2],
  bytes: v[3],
  scans: v[4],
  unique: v[5],
  valid: v[6],
})

export const readPartitionInfo = (v: any): t.PartitionInfo => ({
  name: v[0],
  since: v[1] === null ? null : new Date(v[1]),
  until: v[2] === null ? null : new Date(v[2]),
  rows: v[3],
  bytes: v[4],
})

export const readMigratedTable = (v: any): t.MigratedTable => ({
  table: v[0],
  rows: v[1],
  sha256: v[2],
})

export const readMigrateReport = (v: any): t.MigrateReport => ({
  tables: v[0].map((v: any) => readMigratedTable(v)),
})

export const readTakeoverSource = (v: any): t.TakeoverSource => ({
  name: v[0],
  kind: v[1],
})

export const readTakeoverTable = (v: any): t.TakeoverTable => ({
  table: v[0],
  rows: v[1],
  mapped: v[2],
  extra: v[3],
  bad: v[4],
  repeated: v[5],
  to: v[6],
  extraColumns: v[7],
})

export const readTakeoverWritten = (v: any): t.TakeoverWritten => ({
  table: v[0],
  rows: v[1],
  inserted: v[2],
})

export const readTakeoverProblem = (v: any): t.TakeoverProblem => ({
  source: v[0],
  table: v[1],
  row: v[2],
  column: v[3],
  why: v[4],
})

export const readTakeoverReport = (v: any): t.TakeoverReport => ({
  plan: v[0],
  sources: v[1].map((v: any) => readTakeoverSource(v)),
  tables: v[2].map((v: any) => readTakeoverTable(v)),
  written: v[3].map((v: any) => readTakeoverWritten(v)),
  problems: v[4].map((v: any) => readTakeoverProblem(v)),
  problemCount: v[5],
  notes: v[6],
})

export const readOpenwaTable = (v: any): t.OpenwaTable => ({
  table: v[0],
  rows: v[1],
})

export const readOpenwaExportReport = (v: any): t.OpenwaExportReport => ({
  tables: v[0].map((v: any) => readOpenwaTable(v)),
  bytes: v[1],
  leftOut: v[2].map((v: any) => readTableRows(v)),
})

export const readRetentionReport = (v: any): t.RetentionReport => ({
  tables: v[0].map((v: any) => readTableRows(v)),
  bytesFreed: v[1],
  alreadyRunning: v[2],
  stopped: v[3],
  waiting: v[4],
})

export const readMovedIn = (v: any): t.MovedIn => ({
  by: v[0],
  source: v[1],
  at: new Date(v[2]),
  messages: v[3],
  oldest: new Date(v[4]),
  age: v[5],
})

export const readRetentionStatus = (v: any): t.RetentionStatus => ({
  window: v[0],
  tables: v[1].map((v: any) => readTableRows(v)),
  oldest: v[2] === null ? null : new Date(v[2]),
  waiting: v[3],
  moved: v[4].map((v: any) => readMovedIn(v)),
  acceptedAt: v[5] === null ? null : new Date(v[5]),
  lastRun: v[6] === null ? null : new Date(v[6]),
})

export const readMaintenanceRun = (v: any): t.MaintenanceRun => ({
  job: v[0],
  database: v[1],
  slot: v[2] === null ? null : new Date(v[2]),
  attempt: v[3],
  outcome: v[4],
  error: v[5],
  due: v[6],
  deleted: v[7],
  waiting: v[8],
})

export const readMaintenanceJob = (v: any): t.MaintenanceJob => ({
  job: v[0],
  database: v[1],
  schedule: v[2],
  timezone: v[3],
  slot: v[4] === null ? null : new Date(v[4]),
  attempt: v[5],
  runner: v[6],
  startedAt: v[7] === null ? null : new Date(v[7]),
  endedAt: v[8] === null ? null : new Date(v[8]),
  running: v[9],
  succeededAt: v[10] === null ? null : new Date(v[10]),
  error: v[11],
  errorAt: v[12] === null ? null : new Date(v[12]),
  next: v[13] === null ? null : new Date(v[13]),
  waiting: v[14],
})

export const readLogBuffer = (v: any): t.LogBuffer => ({
  waiting: v[0],
  dropped: v[1],
})

export const readSession = (v: any): t.Session => ({
  id: v[0],
  name: v[1],
  status: v[2],
  phone: v[3],
  pushName: v[4],
  config: JSON.parse(v[5]),
  authState: v[6] === null ? null : JSON.parse(v[6]),
  connectedAt: v[7] === null ? null : new Date(v[7]),
  retainedFrom: v[8] === null ? null : new Date(v[8]),
  createdAt: new Date(v[9]),
  updatedAt: new Date(v[10]),
})

export const readTransition = (v: any): t.Transition => ({
  changed: v[0],
  from: v[1],
  session: readSession(v[2]),
})

export const readSessionLog = (v: any): t.SessionLog => ({
  id: v[0],
  sessionId: v[1],
  event: v[2],
  status: v[3],
  data: v[4] === null ? null : JSON.parse(v[4]),
  createdAt: new Date(v[5]),
})

export const readSaveResult = (v: any): t.SaveResult => ({
  saved: v[0] === null ? null : readSaved(v[0]),
  error: v[1] === null ? null : readFailure(v[1]),
})

export const readChat = (v: any): t.Chat => ({
  chatId: v[0],
  name: v[1],
  isGroup: v[2],
  unread: v[3],
  lastMessage: readMessage(v[4]),
})

export const readMessageReaction = (v: any): t.MessageReaction => ({
  sessionId: v[0],
  waMessageId: v[1],
  sender: v[2],
  emoji: v[3],
  reactedAt: new Date(v[4]),
})

export const readContact = (v: any): t.Contact => ({
  id: v[0],
  sessionId: v[1],
  waContactId: v[2],
  name: v[3],
  pushName: v[4],
  phone: v[5],
  isMyContact: v[6],
  isBlocked: v[7],
  profilePicUrl: v[8],
  createdAt: new Date(v[9]),
  updatedAt: new Date(v[10]),
})

export const readIdentity = (v: any): t.Identity => ({
  sessionId: v[0],
  lid: v[1],
  pn: v[2],
  updatedAt: new Date(v[3]),
})

export const readWebhook = (v: any): t.Webhook => ({
  id: v[0],
  sessionId: v[1],
  url: v[2],
  events: JSON.parse(v[3]),
  secret: v[4],
  headers: JSON.parse(v[5]),
  active: v[6],
  retryCount: v[7],
  lastTriggeredAt: v[8] === null ? null : new Date(v[8]),
  createdAt: new Date(v[9]),
  updatedAt: new Date(v[10]),
})

export const readWebhookLog = (v: any): t.WebhookLog => ({
  id: v[0],
  webhookId: v[1],
  event: v[2],
  statusCode: v[3],
  attempt: v[4],
  payload: JSON.parse(v[5]),
  response: v[6] === null ? null : JSON.parse(v[6]),
  error: v[7],
  createdAt: new Date(v[8]),
})

export const readBegin = (v: any): t.Begin => ({
  isNew: v[0],
  responseStatus: v[1],
  responseData: v[2] === null ? null : JSON.parse(v[2]),
})

export const readBatchJob = (v: any): t.BatchJob => ({
  id: v[0],
  batchId: v[1],
  sessionId: v[2],
  status: v[3],
  totalMessages: v[4],
  sentCount: v[5],
  failedCount: v[6],
  cancelledCount: v[7],
  options: JSON.parse(v[8]),
  error: v[9],
  startedAt: v[10] === null ? null : new Date(v[10]),
  completedAt: v[11] === null ? null : new Date(v[11]),
  createdAt: new Date(v[12]),
  updatedAt: new Date(v[13]),
})

export const readBatchJobMessage = (v: any): t.BatchJobMessage => ({
  id: v[0],
  batchJobId: v[1],
  position: v[2],
  chatId: v[3],
  messageType: v[4],
  content: JSON.parse(v[5]),
  variables: v[6] === null ? null : JSON.parse(v[6]),
  status: v[7],
  waMessageId: v[8],
  errorCode: v[9],
  errorMessage: v[10],
  sentAt: v[11] === null ? null : new Date(v[11]),
  createdAt: new Date(v[12]),
})

export const readAuthValue = (v: any): t.AuthValue => ({
  found: v[0],
  reason: v[1],
  value: v[2],
})

export const readSessionAuth = (v: any): t.SessionAuth => ({
  sessionId: v[0],
  category: v[1],
  keyId: v[2],
  value: v[3],
  updatedAt: new Date(v[4]),
})

export const readApiKey = (v: any): t.ApiKey => ({
  id: v[0],
  keyHash: v[1],
  keyPrefix: v[2],
  name: v[3],
  permissions: JSON.parse(v[4]),
  allowedSessions: v[5] === null ? null : JSON.parse(v[5]),
  allowedChats: v[6] === null ? null : JSON.parse(v[6]),
  active: v[7],
  expiresAt: v[8] === null ? null : new Date(v[8]),
  lastUsedAt: v[9] === null ? null : new Date(v[9]),
  usageCount: v[10],
  createdAt: new Date(v[11]),
})

export const readCreatedKey = (v: any): t.CreatedKey => ({
  key: v[0],
  apiKey: readApiKey(v[1]),
})

export const readAuthorization = (v: any): t.Authorization => ({
  allowed: v[0],
  decision: v[1],
  apiKey: v[2] === null ? null : readApiKey(v[2]),
})

export const readIpWhitelistEntry = (v: any): t.IpWhitelistEntry => ({
  id: v[0],
  apiKeyId: v[1],
  ipAddress: v[2],
  cidrRange: v[3],
  description: v[4],
  active: v[5],
  createdAt: new Date(v[6]),
})

export const readApiKeyLog = (v: any): t.ApiKeyLog => ({
  id: v[0],
  apiKeyId: v[1],
  endpoint: v[2],
  method: v[3],
  ipAddress: v[4],
  userAgent: v[5],
  statusCode: v[6],
  responseTime: v[7],
  createdAt: new Date(v[8]),
})

export const readAuditLog = (v: any): t.AuditLog => ({
  id: v[0],
  action: v[1],
  severity: v[2],
  apiKeyId: v[3],
  apiKeyName: v[4],
  sessionId: v[5],
  sessionName: v[6],
  ipAddress: v[7],
  userAgent: v[8],
  method: v[9],
  path: v[10],
  statusCode: v[11],
  metadata: v[12] === null ? null : JSON.parse(v[12]),
  errorMessage: v[13],
  createdAt: new Date(v[14]),
})
