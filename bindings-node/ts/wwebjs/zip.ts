const END = 0x06054b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50
const END_SIZE = 22
const COMMENT_MAX = 0xffff

/** Why these bytes are no whole zip archive with something in it; `undefined`: they are. */
export function zipProblem(zip: Buffer): string | undefined {
  if (zip.length === 0) return 'is empty'
  const end = findEnd(zip)
  if (end === undefined) return 'is cut off or no zip archive'
  const entries = zip.readUInt16LE(end + 10)
  if (entries === 0) return 'has nothing in it'
  let at = zip.readUInt32LE(end + 16)
  if (at + zip.readUInt32LE(end + 12) > end) return 'is damaged: its directory lies outside'
  for (let i = 0; i < entries; i++) {
    if (at + 46 > end || zip.readUInt32LE(at) !== CENTRAL) return 'is damaged: its directory is broken'
    const [packed, local] = [zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 42)]
    if (local + 30 > end || zip.readUInt32LE(local) !== LOCAL) return 'is damaged: a file in it is missing'
    const data = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    if (data + packed > end) return 'is damaged: a file in it is cut off'
    at += 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return undefined
}

/** The end record stands last, before a comment that may follow. */
function findEnd(zip: Buffer): number | undefined {
  const first = Math.max(0, zip.length - END_SIZE - COMMENT_MAX)
  for (let at = zip.length - END_SIZE; at >= first; at--) {
    if (zip.readUInt32LE(at) === END && at + END_SIZE + zip.readUInt16LE(at + 20) === zip.length) return at
  }
  return undefined
}
