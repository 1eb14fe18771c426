/** What the apps say in Simplified Chinese: the texts of the console's shell. */
import type { en } from './en.ts';

export const zh = {
  'console.signin': '登录控制台',
  'console.member': '员工编号',
  'console.member.hint': '这是沙盒：填写谁，就以谁的身份登录。',
  'console.places': '页面',
  'console.menu': '菜单',
  'console.skip': '跳到页面内容',
  'console.out': '退出登录',
  'console.to.operator': '切换到运营方控制台',
  'console.to.merchant': '切换到商户控制台',
  'console.nowhere': '这个地址没有内容',
  'console.home': '前往首页',
  'console.denied': '你的角色无法查看此页',
  'console.denied.lead': '请联系权限更高的同事：所有者可以查看全部内容。',
  'role.cashier': '收银员',
  'role.manager': '店长',
  'role.owner': '所有者',
  'role.support': '客服',
  'role.treasurer': '财务',
} satisfies Record<keyof typeof en, string>;
