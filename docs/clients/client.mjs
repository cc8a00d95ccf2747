// A client of a Countersign room: node client.mjs BUNDLE HOST PORT
//
// Sends the lines of standard input, and prints what the server sends. Needs Node 18 and nothing else.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { createInterface } from 'node:readline'
import { connect } from 'node:tls'

const LINE_BYTES_MAX = 65536 // longer than any line of a server
const [bundle, host, port] = process.argv.slice(2)
if (!port) fail('usage: node client.mjs BUNDLE HOST PORT')

const text = readFileSync(bundle, 'utf8')
const section = (kind) => text.match(new RegExp(`-----BEGIN ${kind}-----[^-]*-----END ${kind}-----`, 'g')) ?? []
// The first certificate is ours, the last is the CA's.
const certificates = section('CERTIFICATE')
const ownId = text.match(/^# id = (.*)$/m)?.[1].trim()

// Checks the server's CA, its name, its dates and its purpose, and presents our certificate.
const link = connect({
  host,
  port: Number(port),
  servername: isIP(host) ? '' : host,
  ca: certificates.at(-1),
  cert: certificates[0],
  key: section('[A-Z ]*PRIVATE KEY')[0],
  minVersion: 'TLSv1.3',
})

let greeted = false
let left = false
let waiting = Buffer.alloc(0)
link.on('data', (piece) => {
  // Lines are cut out of bytes: a piece may end in the middle of a character.
  waiting = Buffer.concat([waiting, piece])
  for (let end; (end = waiting.indexOf(10)) >= 0; waiting = waiting.subarray(end + 1)) {
    hear(waiting.toString('utf8', 0, end).replace(/\r$/, ''))
  }
  if (waiting.length > LINE_BYTES_MAX) fail('the server sends a line without end')
})
// Bytes after the last line end are no line.
link.on('end', () => left || fail('the server closed the connection'))
link.on('close', () => left || fail('the connection was lost'))
link.on('error', (error) => left || fail(error.message))

function hear(line) {
  if (left) return
  if (!greeted && line.startsWith('!')) fail(line)
  process.stdout.write(line + '\n')
  if (!greeted && line.startsWith('= welcome ')) {
    if (!line.split(' ').includes(`id=${ownId}`)) fail('the server calls us by another name')
    greeted = true // from here on we are in the room, and not before
    sendTyped()
  }
  if (line.startsWith('= bye ')) leave()
}

function sendTyped() {
  const typed = createInterface({ input: process.stdin, crlfDelay: Infinity })
  typed.on('line', (line) => link.write(line + '\n'))
  typed.on('close', () => left || link.write('/quit\n'))
}

// Ends once everything is printed; standard input may still be open.
function leave() {
  left = true
  link.end()
  process.stdout.write('', () => process.exit())
}

function fail(words) {
  process.stderr.write(words + '\n')
  process.exit(1)
}
