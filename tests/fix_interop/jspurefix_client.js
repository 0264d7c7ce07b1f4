// jspurefix (TypeScript) as a customer: node jspurefix_client.js PORT CA_FILE TOKEN REQUEST…
// It prints the same lines as quickfix_client.py.

'use strict'

require('reflect-metadata')
const fs = require('fs')
const { AsciiSession, SessionLauncher, MsgType } = require('jspurefix')

const [port, caFile, token, ...requests] = process.argv.slice(2)
const say = (word, message = '') => fs.writeSync(1, `${word} ${message}`.trimEnd() + '\n')
const quiet = () => ({
  info () {}, debug () {}, warning () {}, isEnabled: () => false,
  error (what) { say('bad', String(what && what.message ? what.message : what)) }
})

class Customer extends AsciiSession {
  constructor (config) {
    super(config)
    this.checkMsgIntegrity = true
  }

  checkIntegrity (msgType, view) {
    const holds = super.checkIntegrity(msgType, view)
    if (!holds) say('bad', view.toString())
    return holds
  }

  onReady () {
    say('up')
    requests.forEach(request => {
      const [name, symbol, depth, updateType, aggregated] = request.split(':')
      this.send(MsgType.MarketDataRequest, {
        MDReqID: name,
        SubscriptionRequestType: '1',
        MarketDepth: Number(depth),
        MDUpdateType: Number(updateType),
        AggregatedBook: aggregated === 'Y',
        MDReqGrp: { NoMDEntryTypes: [{ MDEntryType: '0' }, { MDEntryType: '1' }] },
        InstrmtMDReqGrp: { NoRelatedSym: [{ Instrument: { Symbol: symbol } }] }
      })
    })
  }

  onDecoded (msgType, text) {
    if (!'0123456789A'.includes(msgType)) say('in', text.replaceAll('|', '\x01'))
  }

  onEncoded (msgType, text) {
    if (msgType === '3' || msgType === 'j') say('bad', text)
  }

  onApplicationMsg () {}
  onStopped () { say('down') }
  onLogon () { return true }
}

class Launcher extends SessionLauncher {
  makeFactory () {
    return { makeSession: config => new Customer(config) }
  }
}

const run = async () => {
  for (;;) {
    const launcher = new Launcher({
      application: {
        type: 'initiator',
        name: 'customer',
        reconnectSeconds: 1,
        connectTimeoutSeconds: 600,
        protocol: 'ascii',
        dictionary: 'data/FIX44.xml',
        tcp: {
          host: '127.0.0.1',
          port: Number(port),
          tls: { nodeTlsConnectionOptions: { ca: fs.readFileSync(caFile), rejectUnauthorized: true } }
        }
      },
      EncryptMethod: 0,
      ResetSeqNumFlag: true,
      HeartBtInt: 5,
      SenderCompId: 'jspurefix',
      Username: 'jspurefix',
      Password: token,
      TargetCompID: 'DRAGONFLY-MD',
      BeginString: 'FIX.4.4',
      BodyLengthChars: 6
    }, null, { logger: quiet, plain: quiet })
    await launcher.run().catch(() => {})
    await new Promise(resolve => setTimeout(resolve, 1000))
  }
}
run()
