// Generated from the library's description by `BLESS=1 cargo test -p openwa-node`. Do not edit.
import { bool, bytes, float, int, json, list, record, text, time } from '../codec.js'
import { OpenWAError } from '../error.js'
import type * as t from './types.js'

/* eslint-disable @typescript-eslint/no-explicit-any */

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

export const readFailure = (v: any): OpenWAError =>
  new OpenWAError(v[1], v[2], { retryable: v[3], context: JSON.parse(v[4]) })

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
