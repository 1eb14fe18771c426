/** What the apps say in Simplified Chinese: the texts of the console's shell. */
import type { en } from './en.ts';

export const zh = {
  'console.signin': '登录控制台',
  'console.as': '你的身份',
  'console.merchant': '商户员工',
  'console.operator': '运营方员工',
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
} satisfies Record<keyof typeof en, string>;
